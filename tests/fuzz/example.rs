//! Bodies drawn from the schemas alone: an encoder that shares nothing with `wire` but the notation.
//!
//! It remembers where lengths and counts stand, so that hostile frames can lie exactly there.

use std::path::Path;

use ottla::base::limits::ARRAY_FIRST_ALLOCATION;
use ottla::base::prng::Prng;

#[path = "../../schemas/generate/notation.rs"]
#[allow(dead_code, reason = "names and comments serve the generator")]
pub(crate) mod notation;

use notation::{Api, Field, Kind};

pub(crate) fn schemas() -> Vec<Api> {
    notation::read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/kafka"))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Request,
    Response,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// Nulls, empties, extremes, tagged fields or none: whatever the generator draws.
    Any,
    /// Nothing null or empty, every tagged field there and an unknown one besides.
    Full,
    /// As few bytes as possible.
    Least,
    /// The least, but each outer array outgrows its first allocation.
    Crowded,
}

/// An encoded body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Example {
    pub(crate) bytes: Vec<u8>,
    pub(crate) marks: Vec<Mark>,
}

/// Bytes of an example that say how much follows, or are text.
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

pub(crate) fn example(
    api: &Api,
    version: i16,
    direction: Direction,
    shape: Shape,
    prng: &mut Prng,
) -> Example {
    let fields = match direction {
        Direction::Request => &api.request,
        Direction::Response => &api.response,
    };
    let mut writer = Drawing {
        api,
        version,
        shape,
        depth: 0,
        prng,
        out: Example::default(),
    };
    writer.fields(fields);
    writer.out
}

struct Drawing<'a> {
    api: &'a Api,
    version: i16,
    shape: Shape,
    /// Arrays around the value being drawn.
    depth: usize,
    prng: &'a mut Prng,
    out: Example,
}

impl Drawing<'_> {
    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            if field.tag.is_none() && field.versions.contains(self.version) {
                self.field(field);
            }
        }
        if self.flexible() {
            self.tagged(fields);
        }
    }

    fn field(&mut self, field: &Field) {
        let nullable = field
            .nullable
            .is_some_and(|versions| versions.contains(self.version));
        self.value(&field.kind, nullable);
    }

    fn value(&mut self, kind: &Kind, nullable: bool) {
        match kind {
            Kind::Bool => {
                let bit = self.prng.below(2) as u8;
                self.put(&[bit]);
            }
            Kind::Int8 => self.integer(1),
            Kind::Int16 => self.integer(2),
            Kind::Int32 => self.integer(4),
            Kind::Int64 => self.integer(8),
            Kind::Uuid => {
                self.integer(8);
                self.integer(8);
            }
            Kind::String => self.string(nullable),
            Kind::Bytes | Kind::Records => self.binary(nullable),
            Kind::Struct { fields, .. } => self.fields(fields),
            Kind::Array(element) => self.array(element, nullable),
        }
    }

    fn array(&mut self, element: &Kind, nullable: bool) {
        let count = match self.shape {
            Shape::Crowded if self.depth == 0 => Some(2 * ARRAY_FIRST_ALLOCATION),
            _ => self.count(nullable, matches!(element, Kind::Int32)),
        };
        self.long_length(count, nullable);
        self.depth += 1;
        for _ in 0..count.unwrap_or(0) {
            self.value(element, false);
        }
        self.depth -= 1;
    }

    fn integer(&mut self, width: usize) {
        let value = match self.prng.below(8) {
            _ if self.shape == Shape::Full => self.prng.next_u64(),
            0 => 0,
            1 => u64::MAX,
            2 => 1 << (8 * width - 1),
            3 => (1 << (8 * width - 1)) - 1,
            _ => self.prng.next_u64(),
        };
        self.put(&value.to_be_bytes()[8 - width..]);
    }

    fn string(&mut self, nullable: bool) {
        const LETTERS: [char; 8] = ['a', 'Z', '0', '-', '.', '_', 'é', '漢'];
        let letters = self.count(nullable, true);
        let text: Option<String> = letters.map(|count| {
            (0..count)
                .map(|_| LETTERS[self.prng.below(LETTERS.len() as u64) as usize])
                .collect()
        });
        let length = text.as_ref().map(String::len);
        if self.flexible() {
            self.compact_length(length, nullable);
        } else {
            let length = length.map_or(-1, |length| length as i16);
            self.marked(&length.to_be_bytes(), MarkKind::ShortLength { nullable });
        }
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.marked(text.as_bytes(), MarkKind::Text);
        }
    }

    fn binary(&mut self, nullable: bool) {
        let length = self.count(nullable, true);
        self.long_length(length, nullable);
        for _ in 0..length.unwrap_or(0) {
            let byte = self.prng.next_u64() as u8;
            self.put(&[byte]);
        }
    }

    /// How many letters, bytes or elements; `long` ones may need a varint of two bytes.
    fn count(&mut self, nullable: bool, long: bool) -> Option<usize> {
        match (self.shape, self.prng.below(16)) {
            (Shape::Least | Shape::Crowded, _) if nullable => None,
            (Shape::Least | Shape::Crowded, _) => Some(0),
            (Shape::Full, draw) => Some(1 + draw as usize % 2),
            (Shape::Any, 0..=3) if nullable => None,
            (Shape::Any, 4..=6) => Some(0),
            (Shape::Any, 7) if long => Some(120 + self.prng.below(40) as usize),
            (Shape::Any, _) => Some(1 + self.prng.below(3) as usize),
        }
    }

    fn long_length(&mut self, length: Option<usize>, nullable: bool) {
        if self.flexible() {
            self.compact_length(length, nullable);
        } else {
            let length = length.map_or(-1, |length| length as i32);
            self.marked(&length.to_be_bytes(), MarkKind::LongLength { nullable });
        }
    }

    fn compact_length(&mut self, length: Option<usize>, nullable: bool) {
        let encoded = length.map_or(0, |length| length as u32 + 1);
        self.marked(&varint(encoded), MarkKind::CompactLength { nullable });
    }

    /// The tagged section: some known fields, then some that no version knows.
    fn tagged(&mut self, fields: &[Field]) {
        let mut section: Vec<(u32, Example)> = Vec::new();
        for field in fields {
            let Some(tag) = field.tag.filter(|_| field.versions.contains(self.version)) else {
                continue;
            };
            if self.wants_tagged() {
                section.push((tag, self.tagged_value(field)));
            }
        }
        if self.wants_tagged() {
            section.push((100 + self.prng.below(1000) as u32, self.unknown_value()));
        }
        section.sort_by_key(|(tag, _)| *tag);
        self.marked(&varint(section.len() as u32), MarkKind::TagCount);
        for (tag, value) in section {
            self.put(&varint(tag));
            self.marked(&varint(value.bytes.len() as u32), MarkKind::TagSize);
            self.append(value);
        }
    }

    fn wants_tagged(&mut self) -> bool {
        match self.shape {
            Shape::Any => self.prng.chance(40),
            Shape::Full => true,
            Shape::Least | Shape::Crowded => false,
        }
    }

    /// A value other than the default, which would be left out.
    fn tagged_value(&mut self, field: &Field) -> Example {
        let default = default_bytes(self.version, field);
        loop {
            let value = self.apart(|drawing| drawing.field(field));
            if value.bytes != default {
                return value;
            }
        }
    }

    fn unknown_value(&mut self) -> Example {
        let length = self.prng.below(6);
        let bytes = (0..length).map(|_| self.prng.next_u64() as u8).collect();
        Example {
            bytes,
            marks: Vec::new(),
        }
    }

    /// What `draw` draws, as an example of its own.
    fn apart(&mut self, draw: impl FnOnce(&mut Self)) -> Example {
        let outer = std::mem::take(&mut self.out);
        draw(self);
        std::mem::replace(&mut self.out, outer)
    }

    fn append(&mut self, value: Example) {
        let offset = self.out.bytes.len();
        self.out.bytes.extend(value.bytes);
        let moved = |mark: Mark| Mark {
            start: mark.start + offset,
            end: mark.end + offset,
            ..mark
        };
        self.out.marks.extend(value.marks.into_iter().map(moved));
    }

    fn marked(&mut self, bytes: &[u8], kind: MarkKind) {
        let start = self.out.bytes.len();
        self.put(bytes);
        self.out.marks.push(Mark {
            start,
            end: self.out.bytes.len(),
            kind,
        });
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out.bytes.extend_from_slice(bytes);
    }

    fn flexible(&self) -> bool {
        self.api.is_flexible(self.version)
    }
}

/// How the default of a tagged field would look on the wire.
fn default_bytes(version: i16, field: &Field) -> Vec<u8> {
    let integer = |width: usize| {
        let text = field.default.as_deref().unwrap_or("0");
        let value: i64 = text.parse().expect("an integer's default is a number");
        value.to_be_bytes()[8 - width..].to_vec()
    };
    match &field.kind {
        Kind::Bool => vec![0],
        Kind::Int8 => integer(1),
        Kind::Int16 => integer(2),
        Kind::Int32 => integer(4),
        Kind::Int64 => integer(8),
        Kind::Uuid => vec![0; 16],
        Kind::Struct { fields, .. } => {
            let mut bytes = Vec::new();
            for field in fields
                .iter()
                .filter(|field| field.versions.contains(version))
            {
                bytes.extend(default_bytes(version, field));
            }
            bytes.push(0);
            bytes
        }
        _ if field.default.as_deref() == Some("null") => vec![0],
        Kind::String | Kind::Bytes | Kind::Records | Kind::Array(_) => vec![1],
    }
}

pub(crate) fn varint(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
