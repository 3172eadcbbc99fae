//! Rust for parsed schemas: one module per API; a struct per message and nested struct, with `Default`, `Decode` and
//! `Encode`. An API written by hand is re-exported under the same module name.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::notation::{Api, Field, Kind, Versions};

/// The text of `OUT_DIR/messages.rs`.
pub(crate) fn module(apis: &[Api]) -> String {
    let mut out = String::new();
    for api in apis {
        for line in &api.comment {
            push(&mut out, format!("/// {line}"));
        }
        push(&mut out, format!("pub mod {} {{", api.module()));
        if api.handwritten {
            push(
                &mut out,
                format!("pub use crate::wire::{}::*;", api.module()),
            );
        } else {
            push(&mut out, "use crate::wire::primitive::*;");
            let mut written = BTreeSet::new();
            for (suffix, fields) in [("Request", &api.request), ("Response", &api.response)] {
                let message = Struct {
                    api,
                    name: format!("{}{suffix}", api.name),
                    fields,
                    outermost: true,
                };
                message.write(&mut out, &mut written);
            }
        }
        push(&mut out, "}");
    }
    out
}

fn push(out: &mut String, line: impl AsRef<str>) {
    out.push_str(line.as_ref());
    out.push('\n');
}

struct Struct<'a> {
    api: &'a Api,
    name: String,
    fields: &'a [Field],
    /// A request or response, which refuses versions its API does not have.
    outermost: bool,
}

impl Struct<'_> {
    /// Once, where request and response share a struct.
    fn write(&self, out: &mut String, written: &mut BTreeSet<String>) {
        if !written.insert(self.name.clone()) {
            return;
        }
        self.write_type(out);
        self.write_default(out);
        self.write_decode(out);
        self.write_encode(out);
        for field in self.fields {
            if let Some((name, fields)) = nested(&field.kind) {
                Struct {
                    api: self.api,
                    name: name.to_owned(),
                    fields,
                    outermost: false,
                }
                .write(out, written);
            }
        }
    }

    fn write_type(&self, out: &mut String) {
        push(out, "#[derive(Clone, PartialEq, Eq, Debug)]");
        push(out, format!("pub struct {} {{", self.name));
        for field in self.fields {
            if let Some(comment) = &field.comment {
                push(out, format!("/// {comment}"));
            }
            push(out, format!("pub {}: {},", field.name, type_of(field)));
        }
        push(out, "pub unknown_tagged_fields: Vec<RawTaggedField>,\n}");
    }

    fn write_default(&self, out: &mut String) {
        push(
            out,
            format!(
                "impl Default for {} {{ fn default() -> Self {{ Self {{",
                self.name
            ),
        );
        for field in self.fields {
            push(out, format!("{}: {},", field.name, default_of(field)));
        }
        push(out, "unknown_tagged_fields: Vec::new() } } }");
    }

    fn write_decode(&self, out: &mut String) {
        push(out, format!("impl Decode for {} {{", self.name));
        push(
            out,
            "fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {",
        );
        let Versions { first, last } = self.api.versions;
        if self.outermost {
            push(out, format!("if !({first}..={last}).contains(&version) {{"));
            push(
                out,
                "return Err(DecodeError::UnsupportedVersion { version }); }",
            );
        }
        push(out, self.flexible());
        for field in self.fields {
            let default = default_of(field);
            let read = match (field.tag, version_test(field.versions, self.api.versions)) {
                (Some(_), _) => {
                    push(out, format!("let mut {} = {default};", field.name));
                    continue;
                }
                (None, None) => self.read(field),
                (None, Some(test)) => {
                    format!("if {test} {{ {} }} else {{ {default} }}", self.read(field))
                }
            };
            push(out, format!("let {} = {read};", field.name));
        }
        self.write_decode_tagged(out);
        let names: String = self
            .fields
            .iter()
            .map(|field| format!("{}, ", field.name))
            .collect();
        push(
            out,
            format!("Ok(Self {{ {names} unknown_tagged_fields }}) }} }}"),
        );
    }

    fn write_decode_tagged(&self, out: &mut String) {
        if self.tagged().next().is_none() {
            push(
                out,
                "let unknown_tagged_fields = reader.unknown_tagged_fields(flexible)?;",
            );
            return;
        }
        push(out, "let unknown_tagged_fields = if flexible {");
        push(out, "reader.tagged_fields(|reader, tag| { match tag {");
        for (tag, field) in self.tagged() {
            let guard = version_test(field.versions, self.flexible_versions());
            let guard = guard.map_or(String::new(), |test| format!("if {test}"));
            push(
                out,
                format!("{tag} {guard} => {} = {},", field.name, self.read(field)),
            );
        }
        push(
            out,
            "_ => return Ok(false), } Ok(true) })? } else { Vec::new() };",
        );
    }

    fn write_encode(&self, out: &mut String) {
        push(out, format!("impl Encode for {} {{", self.name));
        push(out, "fn encode(&self, writer: &mut Writer, version: i16) {");
        push(out, self.flexible());
        for field in self.fields.iter().filter(|field| field.tag.is_none()) {
            let write = self.write_value(field, "writer");
            match version_test(field.versions, self.api.versions) {
                None => push(out, format!("{write};")),
                Some(test) => push(out, format!("if {test} {{ {write}; }}")),
            }
        }
        self.write_encode_tagged(out);
        push(out, "} }");
    }

    fn write_encode_tagged(&self, out: &mut String) {
        if self.tagged().next().is_none() {
            push(
                out,
                "writer.unknown_tagged_fields(flexible, &self.unknown_tagged_fields);",
            );
            return;
        }
        push(out, "if flexible { let mut known = Vec::new();");
        for (tag, field) in self.tagged() {
            let mut test = is_set(field);
            if let Some(versions) = version_test(field.versions, self.flexible_versions()) {
                test = format!("{versions} && {test}");
            }
            let write = self.write_value(field, "writer");
            push(out, format!("if {test} {{"));
            push(
                out,
                format!("known.push(RawTaggedField::known({tag}, |writer| {write})); }}"),
            );
        }
        push(
            out,
            "writer.tagged_fields(&known, &self.unknown_tagged_fields); }",
        );
    }

    fn tagged(&self) -> impl Iterator<Item = (u32, &Field)> {
        self.fields
            .iter()
            .filter_map(|field| Some((field.tag?, field)))
    }

    fn flexible_versions(&self) -> Versions {
        let Versions { first, last } = self.api.versions;
        Versions {
            first: first.max(self.api.flexible_from),
            last,
        }
    }

    fn flexible(&self) -> String {
        let Versions { first, last } = self.api.versions;
        match self.api.flexible_from {
            from if from <= first => "let flexible = true;".to_owned(),
            from if from > last => "let flexible = false;".to_owned(),
            from => format!("let flexible = version >= {from};"),
        }
    }

    /// The expression that reads `field`.
    fn read(&self, field: &Field) -> String {
        let plain = self.read_kind(&field.kind, "");
        let Some(nullable) = field.nullable else {
            return format!("{plain}?");
        };
        let read = format!("{}?", self.read_kind(&field.kind, "nullable_"));
        match version_test(nullable, field.versions) {
            None => read,
            Some(test) => format!("if {test} {{ {read} }} else {{ Some({plain}?) }}"),
        }
    }

    fn read_kind(&self, kind: &Kind, nullable: &str) -> String {
        match kind {
            Kind::String => format!("reader.{nullable}string(flexible)"),
            Kind::Bytes | Kind::Records => format!("reader.{nullable}bytes(flexible)"),
            Kind::Struct { name, .. } if nullable.is_empty() => {
                format!("{name}::decode(reader, version)")
            }
            Kind::Struct { name, .. } => {
                format!("reader.nullable_struct(|reader| {name}::decode(reader, version))")
            }
            Kind::Array(element) => {
                let least = self
                    .api
                    .versions
                    .iter()
                    .map(|version| self.api.least_bytes(element, version));
                let least = least
                    .filter(|&bytes| bytes > 0)
                    .min()
                    .expect("an API has versions");
                let read = self.read_kind(element, "");
                format!("reader.{nullable}array(flexible, {least}, |reader| {read})")
            }
            fixed => format!("reader.{}()", method(fixed)),
        }
    }

    /// The statement that writes `field`, without its semicolon.
    fn write_value(&self, field: &Field, writer: &str) -> String {
        let value = format!("self.{}", field.name);
        let borrow = match &field.kind {
            Kind::String | Kind::Bytes | Kind::Records | Kind::Array(_) => "as_deref()",
            _ => "as_ref()",
        };
        let Some(nullable) = field.nullable else {
            return self.write_kind(&field.kind, writer, "", &by_reference(&field.kind, &value));
        };
        let option = self.write_kind(
            &field.kind,
            writer,
            "nullable_",
            &format!("{value}.{borrow}"),
        );
        let plain = format!("{value}.{borrow}.unwrap_or_default()");
        let plain = self.write_kind(&field.kind, writer, "", &plain);
        match version_test(nullable, field.versions) {
            None => option,
            Some(test) => format!("if {test} {{ {option} }} else {{ {plain} }}"),
        }
    }

    fn write_kind(&self, kind: &Kind, writer: &str, nullable: &str, value: &str) -> String {
        match kind {
            Kind::String => format!("{writer}.{nullable}string(flexible, {value})"),
            Kind::Bytes | Kind::Records => format!("{writer}.{nullable}bytes(flexible, {value})"),
            Kind::Struct { .. } if nullable.is_empty() => {
                format!("{value}.encode({writer}, version)")
            }
            Kind::Struct { .. } => format!(
                "{writer}.nullable_struct({value}, |writer, value| value.encode(writer, version))"
            ),
            Kind::Array(element) => {
                let one = match **element {
                    Kind::String | Kind::Bytes | Kind::Records | Kind::Struct { .. } => "value",
                    _ => "*value",
                };
                let write = self.write_kind(element, "writer", "", one);
                format!("{writer}.{nullable}array(flexible, {value}, |writer, value| {write})")
            }
            fixed => format!("{writer}.{}({value})", method(fixed)),
        }
    }
}

fn nested(kind: &Kind) -> Option<(&str, &[Field])> {
    match kind {
        Kind::Struct { name, fields } => Some((name, fields)),
        Kind::Array(element) => nested(element),
        _ => None,
    }
}

fn by_reference(kind: &Kind, value: &str) -> String {
    match kind {
        Kind::String | Kind::Bytes | Kind::Records | Kind::Array(_) => format!("&{value}"),
        _ => value.to_owned(),
    }
}

/// The test that `versions` holds, where `within` is known to hold; `None` when it always does.
fn version_test(versions: Versions, within: Versions) -> Option<String> {
    let Versions { first, last } = versions;
    match (first > within.first, last < within.last) {
        (false, false) => None,
        (true, false) => Some(format!("version >= {first}")),
        (false, true) => Some(format!("version <= {last}")),
        (true, true) if first == last => Some(format!("version == {first}")),
        (true, true) => Some(format!("({first}..={last}).contains(&version)")),
    }
}

fn type_of(field: &Field) -> String {
    let plain = type_of_kind(&field.kind);
    if field.nullable.is_some() {
        format!("Option<{plain}>")
    } else {
        plain
    }
}

fn type_of_kind(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "bool".to_owned(),
        Kind::Int8 => "i8".to_owned(),
        Kind::Int16 => "i16".to_owned(),
        Kind::Uint16 => "u16".to_owned(),
        Kind::Int32 => "i32".to_owned(),
        Kind::Int64 => "i64".to_owned(),
        Kind::Uuid => "crate::base::ids::Uuid".to_owned(),
        Kind::String => "String".to_owned(),
        Kind::Bytes | Kind::Records => "bytes::Bytes".to_owned(),
        Kind::Struct { name, .. } => name.clone(),
        Kind::Array(element) => format!("Vec<{}>", type_of_kind(element)),
    }
}

fn default_of(field: &Field) -> String {
    match (&field.default, &field.nullable) {
        (Some(default), _) if default == "null" => "None".to_owned(),
        (Some(default), _) => default.clone(),
        (None, Some(_)) => "Some(Default::default())".to_owned(),
        // Named, because a number that is compared with `Default::default()` may be one of many types.
        (None, None) => format!("<{}>::default()", type_of_kind(&field.kind)),
    }
}

/// The test that a tagged field differs from its default and so has to be written.
fn is_set(field: &Field) -> String {
    let mut test = String::new();
    let _ = write!(test, "self.{} != {}", field.name, default_of(field));
    match (&field.kind, &field.default, &field.nullable) {
        (_, Some(default), _) if default == "null" => format!("self.{}.is_some()", field.name),
        (Kind::Array(_), _, None) => format!("!self.{}.is_empty()", field.name),
        (Kind::Bool, None, None) => format!("self.{}", field.name),
        _ => test,
    }
}

fn method(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Int8 => "int8",
        Kind::Int16 => "int16",
        Kind::Uint16 => "uint16",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uuid => "uuid",
        Kind::String | Kind::Bytes | Kind::Records | Kind::Struct { .. } | Kind::Array(_) => {
            unreachable!("not of fixed width")
        }
    }
}
