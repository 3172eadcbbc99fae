//! The bytes of one record, little-endian:
//!
//! ```text
//! record  kind u16 | flags u16 | length of the fields u32 | fields
//! field   tag u8   | length u32 | value
//! flags   bit 0: a reader that does not know the kind skips the record, else it refuses the log
//! tag     bit 7: a reader that does not know the field skips it, else it refuses the log
//! ```
//!
//! A tag may occur several times; their order counts. A length is checked against what remains before it is used.

use super::replay_error::RecordError;
use bytes::{BufMut, Bytes, BytesMut};

const RECORD_HEADER_BYTES: usize = 8;
const FIELD_HEADER_BYTES: usize = 5;
const SKIPPABLE_RECORD: u16 = 1;
const SKIPPABLE_FIELD: u8 = 0x80;

/// Writes one record.
pub(super) struct RecordWriter {
    kind: u16,
    fields: BytesMut,
}

impl RecordWriter {
    pub(super) fn new(kind: u16) -> RecordWriter {
        let fields = BytesMut::new();
        RecordWriter { kind, fields }
    }

    pub(super) fn field(mut self, tag: u8, value: &[u8]) -> RecordWriter {
        self.fields.put_u8(tag);
        self.fields.put_u32_le(length(value.len()));
        self.fields.put_slice(value);
        self
    }

    pub(super) fn text(self, tag: u8, text: &str) -> RecordWriter {
        self.field(tag, text.as_bytes())
    }

    pub(super) fn optional_text(self, tag: u8, text: Option<&str>) -> RecordWriter {
        match text {
            Some(text) => self.text(tag, text),
            None => self,
        }
    }

    /// A name and a value in one field: length of the name u16, name, value.
    pub(super) fn pair(self, tag: u8, name: &str, value: &str) -> RecordWriter {
        let name_len = u16::try_from(name.len()).expect("config names are short");
        let mut joined = Vec::with_capacity(2 + name.len() + value.len());
        joined.extend_from_slice(&name_len.to_le_bytes());
        joined.extend_from_slice(name.as_bytes());
        joined.extend_from_slice(value.as_bytes());
        self.field(tag, &joined)
    }

    pub(super) fn finish(self) -> Bytes {
        let mut record = BytesMut::with_capacity(RECORD_HEADER_BYTES + self.fields.len());
        record.put_u16_le(self.kind);
        record.put_u16_le(0);
        record.put_u32_le(length(self.fields.len()));
        record.put(self.fields);
        record.freeze()
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a record is below 4 GiB")
}

/// One record taken apart.
pub(super) struct RawRecord<'a> {
    pub(super) kind: u16,
    pub(super) is_skippable: bool,
    pub(super) fields: Fields<'a>,
}

/// Takes the first record off `bytes`.
pub(super) fn split_record<'a>(bytes: &mut &'a [u8]) -> Result<RawRecord<'a>, RecordError> {
    let (header, rest) = bytes
        .split_at_checked(RECORD_HEADER_BYTES)
        .ok_or(RecordError::Cut)?;
    let kind = u16::from_le_bytes([header[0], header[1]]);
    let flags = u16::from_le_bytes([header[2], header[3]]);
    let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    let (body, rest) = rest
        .split_at_checked(length as usize)
        .ok_or(RecordError::Cut)?;
    *bytes = rest;
    Ok(RawRecord {
        kind,
        is_skippable: flags & SKIPPABLE_RECORD != 0,
        fields: Fields::split(kind, body)?,
    })
}

/// The fields of one record that are not yet taken.
pub(super) struct Fields<'a> {
    kind: u16,
    left: Vec<(u8, &'a [u8])>,
}

impl<'a> Fields<'a> {
    fn split(kind: u16, mut body: &'a [u8]) -> Result<Fields<'a>, RecordError> {
        let mut left = Vec::new();
        while !body.is_empty() {
            let (header, rest) = body
                .split_at_checked(FIELD_HEADER_BYTES)
                .ok_or(RecordError::Cut)?;
            let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
            let (value, rest) = rest
                .split_at_checked(length as usize)
                .ok_or(RecordError::Cut)?;
            left.push((header[0], value));
            body = rest;
        }
        Ok(Fields { kind, left })
    }

    /// Takes the first field of this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        let index = self.left.iter().position(|(t, _)| *t == tag)?;
        Some(self.left.remove(index).1)
    }

    /// Takes every field of this tag.
    pub(super) fn all(&mut self, tag: u8) -> Vec<&'a [u8]> {
        let wanted = self.left.extract_if(.., |(t, _)| *t == tag);
        wanted.map(|(_, value)| value).collect()
    }

    pub(super) fn bytes<const N: usize>(&mut self, tag: u8) -> Result<[u8; N], RecordError> {
        let kind = self.kind;
        let value = self
            .optional(tag)
            .ok_or(RecordError::MissingField { kind, tag })?;
        value.try_into().map_err(|_| self.bad(tag))
    }

    pub(super) fn u32(&mut self, tag: u8) -> Result<u32, RecordError> {
        self.bytes(tag).map(u32::from_le_bytes)
    }

    pub(super) fn text(&mut self, tag: u8) -> Result<String, RecordError> {
        let kind = self.kind;
        let text = self.optional_text(tag)?;
        text.ok_or(RecordError::MissingField { kind, tag })
    }

    pub(super) fn optional_text(&mut self, tag: u8) -> Result<Option<String>, RecordError> {
        self.optional(tag)
            .map(|value| self.utf8(tag, value))
            .transpose()
    }

    pub(super) fn texts(&mut self, tag: u8) -> Result<Vec<String>, RecordError> {
        let values = self.all(tag).into_iter();
        values.map(|value| self.utf8(tag, value)).collect()
    }

    pub(super) fn pairs(&mut self, tag: u8) -> Result<Vec<(String, String)>, RecordError> {
        let values = self.all(tag).into_iter();
        values.map(|value| self.pair(tag, value)).collect()
    }

    /// Refuses fields that nobody took, unless they say that they may be skipped.
    pub(super) fn finish(self) -> Result<(), RecordError> {
        match self.left.iter().find(|(tag, _)| tag & SKIPPABLE_FIELD == 0) {
            Some(&(tag, _)) => Err(RecordError::UnknownField {
                kind: self.kind,
                tag,
            }),
            None => Ok(()),
        }
    }

    pub(super) fn bad(&self, tag: u8) -> RecordError {
        RecordError::BadField {
            kind: self.kind,
            tag,
        }
    }

    fn pair(&self, tag: u8, value: &[u8]) -> Result<(String, String), RecordError> {
        let (length, rest) = value.split_first_chunk().ok_or_else(|| self.bad(tag))?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (name, value) = rest.split_at_checked(length).ok_or_else(|| self.bad(tag))?;
        Ok((self.utf8(tag, name)?, self.utf8(tag, value)?))
    }

    fn utf8(&self, tag: u8, value: &[u8]) -> Result<String, RecordError> {
        String::from_utf8(value.to_vec()).map_err(|_| self.bad(tag))
    }
}
