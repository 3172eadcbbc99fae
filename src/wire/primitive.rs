//! Kafka's primitive types over one frame.
//!
//! A length is believed only after the bytes that remain could fill it, so hostile bytes cost at most a constant times
//! their own number, and every fault is a [`DecodeError`]. `flexible` chooses between the old encodings (fixed-width
//! lengths, -1 is null) and the compact ones (length + 1 as a varint, 0 is null) of KIP-482.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use crate::base::few::Few;
use crate::base::ids::Uuid;
use crate::base::limits::{
    ARRAY_FIRST_ALLOCATION, REQUEST_ELEMENTS_MAX, TAGGED_FIELD_BYTES_MAX, TAGGED_FIELDS_MAX,
};

/// A message, or a struct of one, that can be read.
pub trait Decode: Sized {
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError>;
}

/// A message, or a struct of one, that can be written.
///
/// Writing never fails: a field the version lacks is left out, null where the version knows no null is written as
/// empty, and a string beyond Kafka's 32,767 bytes is cut.
pub trait Encode {
    fn encode(&self, writer: &mut Writer, version: i16);
}

/// Reads a whole body; bytes left over are an error.
pub fn decode_body<T: Decode>(body: Bytes, version: i16) -> Result<T, DecodeError> {
    let mut reader = Reader::new(body);
    let message = T::decode(&mut reader, version)?;
    reader.finish()?;
    Ok(message)
}

/// Reads a client's request: the message and the number of elements in all its arrays. Bytes left over are ignored, as
/// Apache Kafka ignores them: librdkafka 2.12 leaves three after every Metadata request for all topics.
pub fn decode_request<T: Decode>(body: Bytes, version: i16) -> Result<(T, usize), DecodeError> {
    let mut reader = Reader::new(body);
    let message = T::decode(&mut reader, version)?;
    Ok((message, REQUEST_ELEMENTS_MAX - reader.elements_left))
}

/// Why bytes are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// A value, or the elements that a count promises, need more bytes than there are.
    Truncated {
        wanted: usize,
        remaining: usize,
    },
    /// Neither a length nor null.
    InvalidLength {
        length: i32,
    },
    /// Null where the version knows no null.
    UnexpectedNull,
    /// A varint that does not end, or exceeds 32 bits.
    InvalidVarint,
    InvalidUtf8,
    /// More elements in all arrays of one message, or unknown tagged fields, than a request may have.
    TooManyElements,
    TooManyTaggedFields {
        count: usize,
    },
    TaggedFieldTooLong {
        tag: u32,
        bytes: usize,
    },
    /// A tagged field that is known, but not as long as it says.
    TaggedFieldLength {
        tag: u32,
    },
    /// Bytes after the end of the message.
    TrailingBytes {
        count: usize,
    },
    UnsupportedVersion {
        version: i16,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Truncated { wanted, remaining } => {
                write!(f, "{wanted} bytes wanted, {remaining} remain")
            }
            DecodeError::InvalidLength { length } => write!(f, "{length} is no length"),
            DecodeError::UnexpectedNull => write!(f, "null where a value must be"),
            DecodeError::InvalidVarint => write!(f, "a varint exceeds 32 bits"),
            DecodeError::InvalidUtf8 => write!(f, "a string is not UTF-8"),
            DecodeError::TooManyElements => {
                write!(f, "more than {REQUEST_ELEMENTS_MAX} array elements")
            }
            DecodeError::TooManyTaggedFields { count } => {
                write!(f, "{count} tagged fields in one struct")
            }
            DecodeError::TaggedFieldTooLong { tag, bytes } => {
                write!(f, "tagged field {tag} has {bytes} bytes")
            }
            DecodeError::TaggedFieldLength { tag } => {
                write!(f, "tagged field {tag} is not as long as it says")
            }
            DecodeError::TrailingBytes { count } => write!(f, "{count} bytes after the end"),
            DecodeError::UnsupportedVersion { version } => write!(f, "version {version}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A tagged field whose meaning we do not know, kept as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct RawTaggedField {
    pub tag: u32,
    pub value: Bytes,
}

impl fmt::Debug for RawTaggedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.tag, self.value)
    }
}

impl RawTaggedField {
    /// A known field on its way out.
    pub fn known(tag: u32, write: impl FnOnce(&mut Writer)) -> RawTaggedField {
        let mut writer = Writer::new();
        write(&mut writer);
        RawTaggedField {
            tag,
            value: writer.into_bytes(),
        }
    }
}

/// Takes values off the front of a frame. Bytes that come out share the frame's memory.
pub struct Reader {
    frame: Bytes,
    position: usize,
    /// No value crosses it: the end of the frame, or of the tagged field being read.
    end: usize,
    elements_left: usize,
}

impl Reader {
    pub fn new(frame: Bytes) -> Reader {
        Reader {
            position: 0,
            end: frame.len(),
            frame,
            elements_left: REQUEST_ELEMENTS_MAX,
        }
    }

    /// For an answer: whoever asked bounds it by its bytes alone.
    pub fn of_answer(frame: Bytes) -> Reader {
        Reader {
            elements_left: usize::MAX,
            ..Reader::new(frame)
        }
    }

    pub fn remaining(&self) -> usize {
        self.end - self.position
    }

    /// What has not been read, as a frame of its own.
    pub fn into_rest(self) -> Bytes {
        self.frame.slice(self.position..self.end)
    }

    /// Refuses bytes that nothing has read.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(DecodeError::TrailingBytes { count }),
        }
    }

    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.int8()? != 0)
    }

    pub fn int8(&mut self) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.fixed()?))
    }

    pub fn int16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.fixed()?))
    }

    pub fn uint16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.fixed()?))
    }

    pub fn int32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    pub fn int64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }

    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Ok(Uuid(self.fixed()?))
    }

    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::InvalidVarint)
    }

    pub fn string(&mut self, flexible: bool) -> Result<String, DecodeError> {
        self.nullable_string(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    pub fn nullable_string(&mut self, flexible: bool) -> Result<Option<String>, DecodeError> {
        let Some(length) = self.string_length(flexible)? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::InvalidUtf8)?;
        Ok(Some(text.to_owned()))
    }

    /// A string that shares the frame's memory.
    pub fn text(&mut self, flexible: bool) -> Result<ByteString, DecodeError> {
        self.nullable_text(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    /// Like [`Reader::text`].
    pub fn nullable_text(&mut self, flexible: bool) -> Result<Option<ByteString>, DecodeError> {
        let Some(length) = self.string_length(flexible)? else {
            return Ok(None);
        };
        let text = ByteString::try_from(self.shared(length)?);
        text.map(Some).map_err(|_| DecodeError::InvalidUtf8)
    }

    pub fn bytes(&mut self, flexible: bool) -> Result<Bytes, DecodeError> {
        self.nullable_bytes(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    pub fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<Bytes>, DecodeError> {
        let length = if flexible {
            self.compact_length()?
        } else {
            self.int32()?
        };
        not_null(length)?
            .map(|length| self.shared(length))
            .transpose()
    }

    /// An array whose elements take `least_bytes` or more each.
    pub fn array<T>(
        &mut self,
        flexible: bool,
        least_bytes: usize,
        element: impl FnMut(&mut Reader) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let array = self.nullable_array(flexible, least_bytes, element)?;
        array.ok_or(DecodeError::UnexpectedNull)
    }

    pub fn nullable_array<T>(
        &mut self,
        flexible: bool,
        least_bytes: usize,
        element: impl FnMut(&mut Reader) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let count = self.count(flexible, least_bytes)?;
        count.map(|count| self.elements(count, element)).transpose()
    }

    /// Like [`Reader::array`], of mostly one element.
    pub fn few<T>(
        &mut self,
        flexible: bool,
        least_bytes: usize,
        mut element: impl FnMut(&mut Reader) -> Result<T, DecodeError>,
    ) -> Result<Few<T>, DecodeError> {
        let count = self.count(flexible, least_bytes)?;
        let count = count.ok_or(DecodeError::UnexpectedNull)?;
        match count {
            1 => Ok(Few::from_buf([element(self)?])),
            _ => Ok(self.elements(count, element)?.into()),
        }
    }

    fn elements<T>(
        &mut self,
        count: usize,
        mut element: impl FnMut(&mut Reader) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let mut array = Vec::with_capacity(count.min(ARRAY_FIRST_ALLOCATION));
        for index in 0..count {
            if index == ARRAY_FIRST_ALLOCATION {
                // So many were there; the rest costs no more per byte of the frame.
                array.reserve_exact(count - index);
            }
            array.push(element(self)?);
        }
        Ok(array)
    }

    /// How many elements follow, if they could be there; none is null.
    fn count(&mut self, flexible: bool, least_bytes: usize) -> Result<Option<usize>, DecodeError> {
        let count = if flexible {
            self.compact_length()?
        } else {
            self.int32()?
        };
        let Some(count) = not_null(count)? else {
            return Ok(None);
        };
        let (wanted, remaining) = (count.saturating_mul(least_bytes), self.remaining());
        if wanted > remaining {
            return Err(DecodeError::Truncated { wanted, remaining });
        }
        self.count_elements(count)?;
        Ok(Some(count))
    }

    /// A struct, or a negative byte in its place.
    pub fn nullable_struct<T>(
        &mut self,
        read: impl FnOnce(&mut Reader) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        (self.int8()? >= 0).then(|| read(self)).transpose()
    }

    /// The tagged fields at the end of a struct: `known` reads those it knows and says so, the others are returned.
    pub fn tagged_fields(
        &mut self,
        mut known: impl FnMut(&mut Reader, u32) -> Result<bool, DecodeError>,
    ) -> Result<Vec<RawTaggedField>, DecodeError> {
        let count = self.unsigned_varint()? as usize;
        if count > TAGGED_FIELDS_MAX {
            return Err(DecodeError::TooManyTaggedFields { count });
        }
        let mut unknown = Vec::new();
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            let bytes = self.unsigned_varint()? as usize;
            if bytes > TAGGED_FIELD_BYTES_MAX {
                return Err(DecodeError::TaggedFieldTooLong { tag, bytes });
            }
            self.need(bytes)?;
            let outer = std::mem::replace(&mut self.end, self.position + bytes);
            if !known(self, tag)? {
                self.count_elements(1)?;
                unknown.push(RawTaggedField {
                    tag,
                    value: self.shared(bytes)?,
                });
            }
            if self.remaining() > 0 {
                return Err(DecodeError::TaggedFieldLength { tag });
            }
            self.end = outer;
        }
        Ok(unknown)
    }

    /// The tagged fields of a struct that knows none.
    pub fn unknown_tagged_fields(
        &mut self,
        flexible: bool,
    ) -> Result<Vec<RawTaggedField>, DecodeError> {
        if flexible {
            self.tagged_fields(|_, _| Ok(false))
        } else {
            Ok(Vec::new())
        }
    }

    /// Length or count of a compact value; -1 is null.
    fn compact_length(&mut self) -> Result<i32, DecodeError> {
        let encoded = self.unsigned_varint()?;
        i32::try_from(i64::from(encoded) - 1).map_err(|_| DecodeError::InvalidVarint)
    }

    /// None is null.
    fn string_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        let length = if flexible {
            self.compact_length()?
        } else {
            i32::from(self.int16()?)
        };
        if length > STRING_BYTES_MAX as i32 {
            return Err(DecodeError::InvalidLength { length });
        }
        not_null(length)
    }

    fn count_elements(&mut self, count: usize) -> Result<(), DecodeError> {
        let left = self.elements_left.checked_sub(count);
        self.elements_left = left.ok_or(DecodeError::TooManyElements)?;
        Ok(())
    }

    fn shared(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        self.need(length)?;
        let start = self.position;
        self.position += length;
        Ok(self.frame.slice(start..self.position))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("as many bytes as were taken"))
    }

    fn take(&mut self, length: usize) -> Result<&[u8], DecodeError> {
        self.need(length)?;
        self.position += length;
        Ok(&self.frame[self.position - length..self.position])
    }

    fn need(&self, wanted: usize) -> Result<(), DecodeError> {
        let remaining = self.remaining();
        if wanted > remaining {
            return Err(DecodeError::Truncated { wanted, remaining });
        }
        Ok(())
    }
}

/// Kafka's bound for every string.
const STRING_BYTES_MAX: usize = i16::MAX as usize;

fn not_null(length: i32) -> Result<Option<usize>, DecodeError> {
    match length {
        -1 => Ok(None),
        0.. => Ok(Some(length as usize)),
        _ => Err(DecodeError::InvalidLength { length }),
    }
}

/// Collects a frame: one buffer for all that is encoded, and cuts where foreign bytes go in between uncopied.
#[derive(Default)]
pub struct Writer {
    buffer: BytesMut,
    /// Bytes that stand before `buffer[position]`, in order of position.
    cuts: Vec<(usize, Bytes)>,
    cut_bytes: usize,
}

impl Writer {
    pub fn new() -> Writer {
        Writer::default()
    }

    /// Into this memory, which is empty; what it has no room for grows it.
    pub fn over(buffer: BytesMut) -> Writer {
        assert!(buffer.is_empty(), "a frame begins at its beginning");
        Writer {
            buffer,
            ..Writer::default()
        }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.cut_bytes
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frame in pieces for one vectored write; none is empty.
    pub fn into_pieces(self) -> Vec<Bytes> {
        let mut rest = self.buffer.freeze();
        let mut pieces = Vec::with_capacity(2 * self.cuts.len() + 1);
        let mut start = 0;
        for (position, foreign) in self.cuts {
            pieces.extend([rest.split_to(position - start), foreign]);
            start = position;
        }
        pieces.push(rest);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    /// The frame in one piece.
    pub fn into_bytes(self) -> Bytes {
        self.into_bytes_and_memory().0
    }

    /// The frame in one piece, and what is left of the memory it was written into.
    pub fn into_bytes_and_memory(mut self) -> (Bytes, BytesMut) {
        if self.cuts.is_empty() {
            return (self.buffer.split().freeze(), self.buffer);
        }
        (self.into_pieces().concat().into(), BytesMut::new())
    }

    /// Overwrites four bytes of what was encoded, counted without foreign bytes.
    pub fn patch_int32(&mut self, position: usize, value: i32) {
        self.buffer[position..position + 4].copy_from_slice(&value.to_be_bytes());
    }

    pub fn bool(&mut self, value: bool) {
        self.buffer.put_u8(u8::from(value));
    }

    pub fn int8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    pub fn int16(&mut self, value: i16) {
        self.buffer.put_i16(value);
    }

    pub fn uint16(&mut self, value: u16) {
        self.buffer.put_u16(value);
    }

    pub fn int32(&mut self, value: i32) {
        self.buffer.put_i32(value);
    }

    pub fn int64(&mut self, value: i64) {
        self.buffer.put_i64(value);
    }

    pub fn uuid(&mut self, value: Uuid) {
        self.buffer.put_slice(&value.0);
    }

    pub fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value as u8);
    }

    pub fn string(&mut self, flexible: bool, value: &str) {
        self.nullable_string(flexible, Some(value));
    }

    pub fn nullable_string(&mut self, flexible: bool, value: Option<&str>) {
        let value = value.map(|text| &text[..text.floor_char_boundary(STRING_BYTES_MAX)]);
        let length = value.map_or(-1, |text| text.len() as i32);
        if flexible {
            self.unsigned_varint((length + 1) as u32);
        } else {
            self.int16(length as i16);
        }
        self.buffer.put_slice(value.unwrap_or_default().as_bytes());
    }

    pub fn bytes(&mut self, flexible: bool, value: &[u8]) {
        self.nullable_bytes(flexible, Some(value));
    }

    pub fn nullable_bytes(&mut self, flexible: bool, value: Option<&[u8]>) {
        self.length(flexible, value.map(<[u8]>::len));
        self.buffer.put_slice(value.unwrap_or_default());
    }

    /// Puts `foreign` here without a copy.
    pub fn shared(&mut self, foreign: Bytes) {
        self.cut_bytes += foreign.len();
        self.cuts.push((self.buffer.len(), foreign));
    }

    pub fn array<T>(
        &mut self,
        flexible: bool,
        elements: &[T],
        element: impl FnMut(&mut Writer, &T),
    ) {
        self.nullable_array(flexible, Some(elements), element);
    }

    pub fn nullable_array<T>(
        &mut self,
        flexible: bool,
        elements: Option<&[T]>,
        mut element: impl FnMut(&mut Writer, &T),
    ) {
        self.length(flexible, elements.map(<[T]>::len));
        for value in elements.unwrap_or_default() {
            element(self, value);
        }
    }

    pub fn nullable_struct<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Writer, &T)) {
        self.int8(if value.is_some() { 1 } else { -1 });
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// The tagged fields at the end of a struct, in order of tag.
    pub fn tagged_fields(&mut self, known: &[RawTaggedField], unknown: &[RawTaggedField]) {
        let mut fields: Vec<&RawTaggedField> = known.iter().chain(unknown).collect();
        fields.sort_by_key(|field| field.tag);
        self.unsigned_varint(fields.len() as u32);
        for field in fields {
            self.unsigned_varint(field.tag);
            self.unsigned_varint(field.value.len() as u32);
            self.buffer.put_slice(&field.value);
        }
    }

    /// The tagged fields of a struct that knows none.
    pub fn unknown_tagged_fields(&mut self, flexible: bool, fields: &[RawTaggedField]) {
        if flexible {
            self.tagged_fields(&[], fields);
        }
    }

    /// The length before bytes, or the count before elements.
    ///
    /// Panics when it exceeds 31 bits: frames are far below.
    pub fn length(&mut self, flexible: bool, length: Option<usize>) {
        let length = length.map_or(-1, |length| {
            i32::try_from(length).expect("a frame is shorter than 2 GiB")
        });
        if flexible {
            self.unsigned_varint((i64::from(length) + 1) as u32);
        } else {
            self.int32(length);
        }
    }
}
