//! The grammar of a `.schema` file, read into plain values.
//!
//! ```text
//! # What the API is for.
//! api 2 ListOffsets versions 1-10 flexible 6+ [handwritten]
//!
//! request
//!     replica_id        int32
//!     topics            []ListOffsetsTopic?2+     1-7          # fields of a struct stand indented below it
//!         name          string
//!         epoch         int32                     4+ = -1      # versions, default
//!     cluster_id        string?                   5+ tag 0 = null
//!
//! response
//!     ...
//! ```
//!
//! A row is `name type [versions] [tag N] [= default] [# comment]`. Without versions a field lives as long as what
//! contains it. `?` makes a type nullable in all versions of the field, `?2+` from version 2. Types are `bool int8
//! int16 uint16 int32 int64 uuid string bytes records`, a struct's name, and `[]` before any of these. `records` is `bytes`
//! that hold record batches.

use std::fs;
use std::path::Path;

/// Versions `first..=last`; `last` is never open, the API's newest version closes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Versions {
    pub(crate) first: i16,
    pub(crate) last: i16,
}

impl Versions {
    pub(crate) fn contains(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = i16> {
        self.first..=self.last
    }

    fn parse(text: &str, within: Versions) -> Versions {
        let number = |digits: &str| digits.parse().expect("a version is a number");
        let versions = match (text.strip_suffix('+'), text.split_once('-')) {
            (Some(first), _) => Versions {
                first: number(first),
                last: within.last,
            },
            (None, Some((first, last))) => Versions {
                first: number(first),
                last: number(last),
            },
            (None, None) => Versions {
                first: number(text),
                last: number(text),
            },
        };
        assert!(
            versions.first <= versions.last,
            "{text} is no range of versions"
        );
        assert!(
            within.contains(versions.first) && within.contains(versions.last),
            "versions {text} leave those of the struct, {within:?}"
        );
        versions
    }
}

pub(crate) struct Api {
    pub(crate) key: i16,
    pub(crate) name: String,
    pub(crate) comment: Vec<String>,
    pub(crate) versions: Versions,
    /// First flexible version; `i16::MAX` when there is none.
    pub(crate) flexible_from: i16,
    /// The codec is written by hand, the schema only describes it.
    pub(crate) handwritten: bool,
    pub(crate) request: Vec<Field>,
    pub(crate) response: Vec<Field>,
}

pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) versions: Versions,
    pub(crate) nullable: Option<Versions>,
    pub(crate) tag: Option<u32>,
    /// As written after `=`.
    pub(crate) default: Option<String>,
    pub(crate) comment: Option<String>,
}

pub(crate) enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Int64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct { name: String, fields: Vec<Field> },
    Array(Box<Kind>),
}

impl Api {
    pub(crate) fn module(&self) -> String {
        let mut snake = String::new();
        for letter in self.name.chars() {
            if letter.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.extend(letter.to_lowercase());
        }
        snake
    }

    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }

    /// Fewest bytes one value of `kind` takes on the wire.
    pub(crate) fn least_bytes(&self, kind: &Kind, version: i16) -> usize {
        let flexible = self.is_flexible(version);
        match kind {
            Kind::Bool | Kind::Int8 => 1,
            Kind::Int16 | Kind::Uint16 => 2,
            Kind::Int32 => 4,
            Kind::Int64 => 8,
            Kind::Uuid => 16,
            Kind::String if !flexible => 2,
            Kind::Bytes | Kind::Records | Kind::Array(_) if !flexible => 4,
            Kind::String | Kind::Bytes | Kind::Records | Kind::Array(_) => 1,
            Kind::Struct { fields, .. } => {
                let present =
                    |field: &&Field| field.versions.contains(version) && field.tag.is_none();
                let fields = fields.iter().filter(present);
                let least = |field: &Field| match (&field.kind, field.nullable) {
                    // One byte says whether it is there.
                    (Kind::Struct { .. }, Some(_)) => 1,
                    (kind, _) => self.least_bytes(kind, version),
                };
                let bytes = fields.map(least).sum::<usize>();
                bytes + usize::from(flexible)
            }
        }
    }
}

/// All schemas of a folder, by key.
///
/// Panics with file and line where the notation is broken: the author reads it, not a user.
pub(crate) fn read_folder(folder: &Path) -> Vec<Api> {
    let files = fs::read_dir(folder).expect("the folder of schemas can be listed");
    let mut apis: Vec<Api> = files
        .map(|file| file.expect("the folder of schemas can be listed").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "schema")
        })
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a schema is UTF-8 text");
            let api = parse(&text);
            assert!(
                path.ends_with(format!("{}.schema", api.module())),
                "{path:?} is {}",
                api.name
            );
            api
        })
        .collect();
    apis.sort_by_key(|api| api.key);
    apis
}

/// One schema.
pub(crate) fn parse(text: &str) -> Api {
    let mut lines = lines(text).into_iter().peekable();
    let comment = text
        .lines()
        .map_while(|line| line.strip_prefix('#'))
        .map(|line| line.trim().to_owned());
    let head = lines.next().expect("a schema has a head");
    let mut api = parse_head(head.words.as_slice(), comment.collect());
    while let Some(section) = lines.next() {
        let fields = parse_fields(&mut lines, section.depth, api.versions);
        match section.words[..] {
            ["request"] => api.request = fields,
            ["response"] => api.response = fields,
            _ => panic!("line {}: request or response expected", section.number),
        }
    }
    api
}

fn parse_head(words: &[&str], comment: Vec<String>) -> Api {
    let [
        "api",
        key,
        name,
        "versions",
        versions,
        "flexible",
        flexible,
        rest @ ..,
    ] = words
    else {
        panic!("head is not `api KEY NAME versions A-B flexible F`: {words:?}");
    };
    let versions = Versions::parse(
        versions,
        Versions {
            first: 0,
            last: i16::MAX,
        },
    );
    Api {
        key: key.parse().expect("an API key is a number"),
        name: (*name).to_owned(),
        comment,
        versions,
        flexible_from: match *flexible {
            "never" => i16::MAX,
            from => from
                .trim_end_matches('+')
                .parse()
                .expect("a version is a number"),
        },
        handwritten: rest == ["handwritten"],
        request: Vec::new(),
        response: Vec::new(),
    }
}

struct Line<'a> {
    number: usize,
    depth: usize,
    words: Vec<&'a str>,
    comment: Option<String>,
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (row, comment) = line
            .split_once('#')
            .map_or((line, None), |(row, rest)| (row, Some(rest)));
        let words: Vec<&str> = row.split_whitespace().collect();
        if !words.is_empty() {
            lines.push(Line {
                number: index + 1,
                depth: row.len() - row.trim_start().len(),
                words,
                comment: comment.map(|comment| comment.trim().to_owned()),
            });
        }
    }
    lines
}

type Rows<'a> = std::iter::Peekable<std::vec::IntoIter<Line<'a>>>;

/// The rows that stand deeper than `depth`, as fields that live within `within`.
fn parse_fields(rows: &mut Rows<'_>, depth: usize, within: Versions) -> Vec<Field> {
    let mut fields = Vec::new();
    while let Some(row) = rows.next_if(|row| row.depth > depth) {
        let [name, written, attributes @ ..] = row.words.as_slice() else {
            panic!("line {}: a row is `name type ...`", row.number);
        };
        let mut field = Field {
            name: (*name).to_owned(),
            kind: Kind::Bool,
            versions: within,
            nullable: None,
            tag: None,
            default: None,
            comment: row.comment,
        };
        parse_attributes(&mut field, attributes, within);
        let (kind, nullable) = match written.split_once('?') {
            Some((kind, "")) => (kind, Some(field.versions)),
            Some((kind, from)) => (kind, Some(Versions::parse(from, field.versions))),
            None => (*written, None),
        };
        field.nullable = nullable;
        let inner = parse_fields(rows, row.depth, field.versions);
        field.kind = parse_kind(kind, inner);
        fields.push(field);
    }
    fields
}

fn parse_attributes(field: &mut Field, mut words: &[&str], within: Versions) {
    loop {
        match words {
            [] => return,
            ["tag", tag, rest @ ..] => {
                field.tag = Some(tag.parse().expect("a tag is a number"));
                words = rest;
            }
            ["=", default, rest @ ..] => {
                field.default = Some((*default).to_owned());
                words = rest;
            }
            [versions, rest @ ..] => {
                field.versions = Versions::parse(versions, within);
                words = rest;
            }
        }
    }
}

fn parse_kind(written: &str, fields: Vec<Field>) -> Kind {
    match written {
        "bool" => Kind::Bool,
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "uint16" => Kind::Uint16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "uuid" => Kind::Uuid,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        "records" => Kind::Records,
        _ => match written.strip_prefix("[]") {
            Some(element) => Kind::Array(Box::new(parse_kind(element, fields))),
            None => {
                assert!(
                    !fields.is_empty(),
                    "{written} is neither a type nor a struct with fields"
                );
                Kind::Struct {
                    name: written.to_owned(),
                    fields,
                }
            }
        },
    }
}
