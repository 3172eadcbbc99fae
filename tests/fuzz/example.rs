//! Bodies drawn from the schemas alone: an encoder that shares nothing with `wire` but the notation.

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

/// A body, encoded.
pub(crate) fn example(
    api: &Api,
    version: i16,
    direction: Direction,
    shape: Shape,
    prng: &mut Prng,
) -> Vec<u8> {
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
        out: Vec::new(),
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
    out: Vec<u8>,
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
            Kind::Int16 | Kind::Uint16 => self.integer(2),
            Kind::Int32 => self.integer(4),
            Kind::Int64 => self.integer(8),
            Kind::Uuid => {
                self.integer(8);
                self.integer(8);
            }
            Kind::String => self.string(nullable),
            Kind::Bytes | Kind::Records => self.binary(nullable),
            Kind::Struct { fields, .. } if nullable => self.nullable_struct(fields),
            Kind::Struct { fields, .. } => self.fields(fields),
            Kind::Array(element) => self.array(element, nullable),
        }
    }

    fn nullable_struct(&mut self, fields: &[Field]) {
        if self.count(true, false).is_none() {
            return self.put(&[0xff]);
        }
        self.put(&[1]);
        self.fields(fields);
    }

    fn array(&mut self, element: &Kind, nullable: bool) {
        let count = match self.shape {
            Shape::Crowded if self.depth == 0 => Some(2 * ARRAY_FIRST_ALLOCATION),
            _ => self.count(nullable, matches!(element, Kind::Int32)),
        };
        self.long_length(count);
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
            let letters = 0..count;
            letters
                .map(|_| LETTERS[self.prng.below(LETTERS.len() as u64) as usize])
                .collect()
        });
        let length = text.as_ref().map(String::len);
        if self.flexible() {
            self.compact_length(length);
        } else {
            self.put(&length.map_or(-1, |length| length as i16).to_be_bytes());
        }
        self.put(text.unwrap_or_default().as_bytes());
    }

    fn binary(&mut self, nullable: bool) {
        let length = self.count(nullable, true);
        self.long_length(length);
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

    fn long_length(&mut self, length: Option<usize>) {
        if self.flexible() {
            self.compact_length(length);
        } else {
            self.put(&length.map_or(-1, |length| length as i32).to_be_bytes());
        }
    }

    fn compact_length(&mut self, length: Option<usize>) {
        self.put(&varint(length.map_or(0, |length| length as u32 + 1)));
    }

    /// The tagged section: some known fields, then some that no version knows.
    fn tagged(&mut self, fields: &[Field]) {
        let mut section: Vec<(u32, Vec<u8>)> = Vec::new();
        for field in fields {
            let Some(tag) = field.tag.filter(|_| field.versions.contains(self.version)) else {
                continue;
            };
            if self.wants_tagged() {
                section.push((tag, self.tagged_value(field)));
            }
        }
        if self.wants_tagged() {
            let value = (0..self.prng.below(6))
                .map(|_| self.prng.next_u64() as u8)
                .collect();
            section.push((100 + self.prng.below(1000) as u32, value));
        }
        section.sort_by_key(|(tag, _)| *tag);
        self.put(&varint(section.len() as u32));
        for (tag, value) in section {
            self.put(&varint(tag));
            self.put(&varint(value.len() as u32));
            self.put(&value);
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
    fn tagged_value(&mut self, field: &Field) -> Vec<u8> {
        let default = default_bytes(self.version, field);
        loop {
            let outer = std::mem::take(&mut self.out);
            self.field(field);
            let value = std::mem::replace(&mut self.out, outer);
            if value != default {
                return value;
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
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
        Kind::Int16 | Kind::Uint16 => integer(2),
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
