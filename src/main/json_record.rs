//! A record as one JSON object: what `consume -o json` writes and `produce --json` reads. Bytes that are no
//! UTF-8 stand in base64 under the name with `Base64` behind it.

use crate::moment;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ottla::record::TimestampKind;
use ottla::record::iterate::RecordView;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// A record that was read, and where it lay.
pub(crate) struct Written<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) kind: TimestampKind,
    pub(crate) record: RecordView<'a>,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = &self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("topic", self.topic)?;
        map.serialize_entry("partition", &self.partition)?;
        map.serialize_entry("offset", &record.offset.0)?;
        map.serialize_entry("timestamp", &moment::render(record.timestamp.0))?;
        map.serialize_entry("timestampType", kind_name(self.kind))?;
        bytes_entry(&mut map, KEY, record.key)?;
        bytes_entry(&mut map, VALUE, record.value)?;
        let headers: Vec<WrittenHeader<'_>> = record.headers().map(WrittenHeader).collect();
        map.serialize_entry("headers", &headers)?;
        map.end()
    }
}

struct WrittenHeader<'a>((&'a [u8], Option<&'a [u8]>));

impl Serialize for WrittenHeader<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        bytes_entry(&mut map, KEY, Some(self.0.0))?;
        bytes_entry(&mut map, VALUE, self.0.1)?;
        map.end()
    }
}

/// The name of text and of base64.
const KEY: (&str, &str) = ("key", "keyBase64");
const VALUE: (&str, &str) = ("value", "valueBase64");

fn bytes_entry<M: SerializeMap>(
    map: &mut M,
    (name, name_of_base64): (&'static str, &'static str),
    bytes: Option<&[u8]>,
) -> Result<(), M::Error> {
    match bytes.map(|bytes| (bytes, str::from_utf8(bytes))) {
        None => map.serialize_entry(name, &()),
        Some((_, Ok(text))) => map.serialize_entry(name, text),
        Some((bytes, Err(_))) => map.serialize_entry(name_of_base64, &STANDARD.encode(bytes)),
    }
}

pub(crate) fn kind_name(kind: TimestampKind) -> &'static str {
    match kind {
        TimestampKind::CreateTime => "CreateTime",
        TimestampKind::LogAppendTime => "LogAppendTime",
    }
}

/// A record to be written. Fields that are missing are null; those it does not know, as an offset, are passed over.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Given {
    pub(crate) partition: Option<i32>,
    timestamp: Option<Moment>,
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
    headers: Vec<GivenHeader>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Text(String),
    Millis(i64),
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct GivenHeader {
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
}

type Header = (Vec<u8>, Option<Vec<u8>>);

impl Given {
    pub(crate) fn timestamp(&self) -> Result<Option<i64>, String> {
        match &self.timestamp {
            None => Ok(None),
            Some(Moment::Millis(millis)) => Ok(Some(*millis)),
            Some(Moment::Text(text)) => match moment::parse(text, 0) {
                Some(millis) => Ok(Some(millis)),
                None => Err(format!("timestamp {text:?} is no RFC 3339 time")),
            },
        }
    }

    pub(crate) fn take_key(&mut self) -> Result<Option<Vec<u8>>, String> {
        bytes(KEY, self.key.take(), self.key_base64.take())
    }

    pub(crate) fn take_value(&mut self) -> Result<Option<Vec<u8>>, String> {
        bytes(VALUE, self.value.take(), self.value_base64.take())
    }

    pub(crate) fn take_headers(&mut self) -> Result<Vec<Header>, String> {
        let headers = std::mem::take(&mut self.headers).into_iter();
        let headers = headers.map(|header| {
            let key = bytes(KEY, header.key, header.key_base64)?;
            let value = bytes(VALUE, header.value, header.value_base64)?;
            Ok((key.ok_or("a header without a key")?, value))
        });
        headers.collect()
    }
}

fn bytes(
    (name, name_of_base64): (&str, &str),
    text: Option<String>,
    base64: Option<String>,
) -> Result<Option<Vec<u8>>, String> {
    match (text, base64) {
        (text, None) => Ok(text.map(String::into_bytes)),
        (None, Some(base64)) => match STANDARD.decode(&base64) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => Err(format!("{name_of_base64} is no base64: {error}")),
        },
        (Some(_), Some(_)) => Err(format!("both {name} and {name_of_base64}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla::base::time::Timestamp;
    use ottla::record::iterate::Payload;
    use ottla::record::{BatchBuilder, Codec, NewRecord};

    fn written(record: &NewRecord<'_>) -> String {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.push(record);
        let batch = builder.build();
        let payload = Payload::open(&batch).expect("a batch of ours");
        let record = payload.records().next().expect("one").expect("sound");
        let written = Written {
            topic: "t",
            partition: 2,
            kind: TimestampKind::CreateTime,
            record,
        };
        serde_json::to_string(&written).expect("plain data")
    }

    #[test]
    fn what_is_written_can_be_read_whatever_the_bytes() {
        for (bytes, json) in [
            (None, r#""value":null"#),
            (Some(&b""[..]), r#""value":"""#),
            (Some("é\n".as_bytes()), r#""value":"é\n""#),
            (Some(b"\xff\0"), r#""valueBase64":"/wA=""#),
        ] {
            let text = written(&NewRecord {
                timestamp: Timestamp(1_795_399_798_123),
                key: bytes,
                value: bytes,
                headers: &[(b"h\xff", bytes)],
            });
            let head = r#"{"topic":"t","partition":2,"offset":0,"timestamp":"2026-11-23T02:09:58.123Z","timestampType":"CreateTime""#;
            assert!(text.starts_with(head) && text.contains(json), "{text}");
            let mut given: Given = serde_json::from_str(&text).expect("an object");
            let bytes = bytes.map(<[u8]>::to_vec);
            assert_eq!(given.take_key(), Ok(bytes.clone()));
            assert_eq!(given.take_value(), Ok(bytes.clone()));
            assert_eq!(given.take_headers(), Ok(vec![(b"h\xff".to_vec(), bytes)]));
            assert_eq!(given.timestamp(), Ok(Some(1_795_399_798_123)));
            assert_eq!(given.partition, Some(2));
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for json in [
            r#"{"value":"a","valueBase64":"YQ=="}"#,
            r#"{"valueBase64":"Y"}"#,
        ] {
            let mut given: Given = serde_json::from_str(json).expect("an object");
            assert!(given.take_value().is_err(), "{json}");
        }
        let mut given: Given =
            serde_json::from_str(r#"{"headers":[{"value":"a"}]}"#).expect("an object");
        assert!(given.take_headers().is_err());
        let given: Given = serde_json::from_str(r#"{"timestamp":"noon"}"#).expect("an object");
        assert!(given.timestamp().is_err());
        assert!(serde_json::from_str::<Given>(r#"{"value":1}"#).is_err());
    }
}
