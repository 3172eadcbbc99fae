//! How a record is printed: text with fields in braces.

use crate::json_record::Written;
use crate::moment;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Write};
use std::str::FromStr;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Text(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Timestamp,
    /// As they are, whatever the bytes. Null prints nothing.
    Key,
    Value,
    /// `name=value,name=value`.
    Headers,
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let cut = rest.find(['{', '\\']).unwrap_or(rest.len());
            if cut > 0 {
                parts.push(Part::Text(rest[..cut].into()));
            }
            rest = &rest[cut..];
            if let Some(escaped) = rest.strip_prefix('\\') {
                let letter = escaped.chars().next().unwrap_or(' ');
                parts.push(escape(letter)?);
                rest = escaped.get(letter.len_utf8()..).unwrap_or_default();
            } else if let Some(named) = rest.strip_prefix('{') {
                let (name, after) = named
                    .split_once('}')
                    .ok_or("a { without its }; \\{ is the brace itself")?;
                parts.push(field(name)?);
                rest = after;
            }
        }
        Ok(Template(parts))
    }
}

fn escape(letter: char) -> Result<Part, String> {
    let byte = match letter {
        'n' => b'\n',
        't' => b'\t',
        'r' => b'\r',
        '0' => 0,
        '\\' => b'\\',
        '{' => b'{',
        _ => {
            return Err(format!(
                "\\{letter} means nothing; there are \\n \\t \\r \\0 \\\\ \\{{"
            ));
        }
    };
    Ok(Part::Text(vec![byte]))
}

fn field(name: &str) -> Result<Part, String> {
    Ok(match name {
        "topic" => Part::Topic,
        "partition" => Part::Partition,
        "offset" => Part::Offset,
        "timestamp" => Part::Timestamp,
        "key" => Part::Key,
        "value" => Part::Value,
        "headers" => Part::Headers,
        _ => {
            return Err(format!(
                "there is no {{{name}}}, but topic, partition, offset, timestamp, key, value and headers"
            ));
        }
    })
}

impl Template {
    pub(super) fn write(&self, out: &mut impl Write, written: &Written<'_>) -> io::Result<()> {
        let record = &written.record;
        for part in &self.0 {
            match part {
                Part::Text(text) => out.write_all(text)?,
                Part::Topic => out.write_all(written.topic.as_bytes())?,
                Part::Partition => write!(out, "{}", written.partition)?,
                Part::Offset => write!(out, "{}", record.offset.0)?,
                Part::Timestamp => {
                    let text = moment::render(record.timestamp.0).unwrap_or_default();
                    out.write_all(text.as_bytes())?;
                }
                Part::Key => out.write_all(record.key.unwrap_or_default())?,
                Part::Value => out.write_all(record.value.unwrap_or_default())?,
                Part::Headers => headers(out, written)?,
            }
        }
        Ok(())
    }
}

fn headers(out: &mut impl Write, written: &Written<'_>) -> io::Result<()> {
    for (index, (name, value)) in written.record.headers().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        out.write_all(text(name).as_bytes())?;
        out.write_all(b"=")?;
        out.write_all(value.map(text).unwrap_or_default().as_bytes())?;
    }
    Ok(())
}

/// Bytes that are no text are shown in base64: headers are read by people.
fn text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => STANDARD.encode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla::base::time::Timestamp;
    use ottla::record::iterate::Payload;
    use ottla::record::{BatchBuilder, Codec, NewRecord, TimestampKind};

    fn printed(template: &str) -> Result<Vec<u8>, String> {
        let template: Template = template.parse()?;
        let mut builder = BatchBuilder::new(Codec::None);
        builder.push(&NewRecord {
            timestamp: Timestamp(0),
            key: None,
            value: Some(b"v\xff"),
            headers: &[(b"a", Some(b"1")), (b"b", None)],
        });
        let batch = builder.build();
        let payload = Payload::open(&batch).expect("a batch of ours");
        let record = payload.records().next().expect("one").expect("sound");
        let kind = TimestampKind::CreateTime;
        let written = Written {
            topic: "t",
            partition: 2,
            kind,
            record,
        };
        let mut out = Vec::new();
        template.write(&mut out, &written).expect("memory");
        Ok(out)
    }

    #[test]
    fn fields_stand_in_braces_and_bytes_stay_bytes() {
        for (template, text) in [
            ("{value}\\n", &b"v\xff\n"[..]),
            ("{topic}-{partition} {offset}\\t{key}|", b"t-2 0\t|"),
            ("{timestamp} {headers}", b"1970-01-01T00:00:00.000Z a=1,b="),
            ("\\{\\\\\\0é", "{\\\0é".as_bytes()),
            ("", b""),
        ] {
            assert_eq!(printed(template).as_deref(), Ok(text), "{template}");
        }
        for template in ["{values}", "{value", "\\x", "\\", "\\é"] {
            assert!(printed(template).is_err(), "{template}");
        }
    }
}
