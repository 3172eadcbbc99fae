//! Reads a body by its schema alone, strictly: where lengths stand, which error codes it carries.

use super::example::Direction;
use super::example::notation::{Api, Field, Kind};

/// What was found in a body that is one to its last byte.
#[derive(Default, Debug)]
pub(crate) struct Walk {
    pub(crate) marks: Vec<Mark>,
    /// Every field named so, in order.
    pub(crate) error_codes: Vec<i16>,
}

/// Bytes that say how much follows, or are text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: MarkKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MarkKind {
    /// Two bytes, -1 for null.
    ShortLength {
        nullable: bool,
    },
    /// Four bytes, -1 for null.
    LongLength {
        nullable: bool,
    },
    /// Varint, one more than the length, 0 for null.
    CompactLength {
        nullable: bool,
    },
    /// Varints of a tagged section.
    TagCount,
    TagSize,
    /// A string's bytes, one or more.
    Text,
}

/// `Err` says what does not fit the schema.
pub(crate) fn walk(
    api: &Api,
    version: i16,
    direction: Direction,
    body: &[u8],
) -> Result<Walk, String> {
    let fields = match direction {
        Direction::Request => &api.request,
        Direction::Response => &api.response,
    };
    let mut walker = Walker {
        api,
        version,
        body,
        position: 0,
        found: Walk::default(),
    };
    walker.fields(fields)?;
    match body.len() - walker.position {
        0 => Ok(walker.found),
        left => Err(format!("{left} bytes after the end")),
    }
}

struct Walker<'a> {
    api: &'a Api,
    version: i16,
    body: &'a [u8],
    position: usize,
    found: Walk,
}

impl<'a> Walker<'a> {
    fn fields(&mut self, fields: &[Field]) -> Result<(), String> {
        for field in fields {
            if field.tag.is_none() && field.versions.contains(self.version) {
                self.field(field)?;
            }
        }
        if self.flexible() {
            self.tagged(fields)
        } else {
            Ok(())
        }
    }

    fn field(&mut self, field: &Field) -> Result<(), String> {
        let nullable = field
            .nullable
            .is_some_and(|versions| versions.contains(self.version));
        let start = self.position;
        self.value(&field.kind, nullable)
            .map_err(|error| format!("{}: {error}", field.name))?;
        if field.name.ends_with("error_code") {
            let code = self.body[start..self.position]
                .try_into()
                .expect("codes have two bytes");
            self.found.error_codes.push(i16::from_be_bytes(code));
        }
        Ok(())
    }

    fn value(&mut self, kind: &Kind, nullable: bool) -> Result<(), String> {
        match kind {
            // A negative byte stands for null.
            Kind::Struct { .. } if nullable && self.take(1)?[0] >= 0x80 => Ok(()),
            Kind::Struct { fields, .. } => self.fields(fields),
            Kind::String => {
                let length = self.length(true, nullable)?;
                let text = self.take(length.unwrap_or(0))?;
                std::str::from_utf8(text).map_err(|error| error.to_string())?;
                if !text.is_empty() {
                    self.mark(self.position - text.len(), MarkKind::Text);
                }
                Ok(())
            }
            Kind::Bytes | Kind::Records => {
                let length = self.length(false, nullable)?;
                self.take(length.unwrap_or(0)).map(drop)
            }
            Kind::Array(element) => {
                let count = self.length(false, nullable)?.unwrap_or(0);
                (0..count).try_for_each(|_| self.value(element, false))
            }
            fixed => self
                .take(self.api.least_bytes(fixed, self.version))
                .map(drop),
        }
    }

    /// A length or count, marked; `short` ones have two bytes where they are not compact.
    fn length(&mut self, short: bool, nullable: bool) -> Result<Option<usize>, String> {
        let start = self.position;
        let (length, kind) = if self.flexible() {
            (
                i64::from(self.varint()?) - 1,
                MarkKind::CompactLength { nullable },
            )
        } else if short {
            let bytes = self.take(2)?.try_into().expect("two were taken");
            (
                i64::from(i16::from_be_bytes(bytes)),
                MarkKind::ShortLength { nullable },
            )
        } else {
            let bytes = self.take(4)?.try_into().expect("four were taken");
            (
                i64::from(i32::from_be_bytes(bytes)),
                MarkKind::LongLength { nullable },
            )
        };
        self.mark(start, kind);
        match length {
            -1 if nullable => Ok(None),
            0.. => Ok(Some(length as usize)),
            _ => Err(format!("length {length} at {start}")),
        }
    }

    fn tagged(&mut self, fields: &[Field]) -> Result<(), String> {
        let start = self.position;
        let count = self.varint()?;
        self.mark(start, MarkKind::TagCount);
        for _ in 0..count {
            let tag = self.varint()?;
            let start = self.position;
            let size = self.varint()? as usize;
            self.mark(start, MarkKind::TagSize);
            let end = self.position + size;
            let has_tag =
                |field: &&Field| field.tag == Some(tag) && field.versions.contains(self.version);
            match fields.iter().find(has_tag) {
                Some(field) => self.field(field)?,
                None => self.take(size).map(drop)?,
            }
            if self.position != end {
                return Err(format!("tagged field {tag} is not of size {size}"));
            }
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<u32, String> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.take(1)?[0];
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a varint without end".to_owned())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let rest = &self.body[self.position..];
        let bytes = rest.get(..length).ok_or_else(|| {
            format!(
                "{length} bytes wanted at {}, {} remain",
                self.position,
                rest.len()
            )
        })?;
        self.position += length;
        Ok(bytes)
    }

    fn mark(&mut self, start: usize, kind: MarkKind) {
        self.found.marks.push(Mark {
            start,
            end: self.position,
            kind,
        });
    }

    fn flexible(&self) -> bool {
        self.api.is_flexible(self.version)
    }
}
