//! Batches, records and entries as lines: text for people, one JSON object each for programs.

use super::batches::Damage;
use crate::failure::Failure;
use crate::json_record::{Written, kind_name};
use crate::moment;
use crate::output::{Output, or_dash, output_failure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ottla::log::offline::Offline;
use ottla::record::{BatchHeader, Codec};
use serde::Serialize;
use std::io::{self, BufWriter, StdoutLock, Write};

/// Standard output, a line at a time.
pub(super) struct Lines {
    output: BufWriter<StdoutLock<'static>>,
    json: bool,
}

/// A batch, and where it lies.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchLine {
    base_offset: i64,
    last_offset: i64,
    records: i32,
    bytes: usize,
    /// Below the log start: nobody is given it.
    pub(super) deleted: bool,
    /// The segment, and where the batch begins in it, or will when a start has written it there.
    pub(super) file: String,
    pub(super) position: u64,
    /// Where it lies until then, when no segment has it.
    pub(super) journal: Option<String>,
    leader_epoch: i32,
    attributes: i16,
    codec: &'static str,
    timestamp_type: &'static str,
    max_timestamp: Option<String>,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    is_transactional: bool,
    is_control: bool,
    crc: String,
    crc_ok: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DamageLine<'a> {
    damage: &'a str,
    file: &'a str,
    position: u64,
    first_offset: i64,
    /// Exclusive.
    end_offset: i64,
}

/// The log ends here for good: recovery refuses what follows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfflineLine {
    offline: String,
    /// The offset below which the log is whole.
    whole_below: i64,
}

impl BatchLine {
    /// What the header says of a sound batch.
    pub(super) fn of(header: &BatchHeader) -> BatchLine {
        BatchLine {
            base_offset: header.base_offset.0,
            last_offset: header.last_offset().0,
            records: header.record_count,
            bytes: header.total_bytes(),
            deleted: false,
            file: String::new(),
            position: 0,
            journal: None,
            leader_epoch: header.leader_epoch.0,
            attributes: header.attributes.0,
            codec: codec_name(header),
            timestamp_type: kind_name(header.attributes.timestamp_kind()),
            max_timestamp: moment::render(header.max_timestamp.0),
            producer_id: header.producer_id.0,
            producer_epoch: header.producer_epoch.0,
            base_sequence: header.base_sequence,
            is_transactional: header.attributes.is_transactional(),
            is_control: header.attributes.is_control(),
            crc: format!("{:08x}", header.crc),
            crc_ok: true,
        }
    }

    fn text(&self) -> String {
        let time = or_dash(self.max_timestamp.clone());
        let mut text = format!(
            "{}..{}  {} records, {} bytes, {}, {} {time}, epoch {}, crc {} ok",
            self.base_offset,
            self.last_offset,
            self.records,
            self.bytes,
            self.codec,
            self.timestamp_type,
            self.leader_epoch,
            self.crc,
        );
        if self.producer_id >= 0 {
            let (id, epoch, sequence) = (self.producer_id, self.producer_epoch, self.base_sequence);
            text += &format!(", producer {id} epoch {epoch} sequence {sequence}");
        }
        for (is, word) in [
            (self.is_transactional, ", transactional"),
            (self.is_control, ", control"),
            (self.deleted, ", deleted"),
        ] {
            text += if is { word } else { "" };
        }
        match &self.journal {
            None => text + &format!("  {} at byte {}", self.file, self.position),
            Some(journal) => text + &format!("  {journal}, not yet in its segment"),
        }
    }
}

impl Lines {
    pub(super) fn new(output: &Output) -> Lines {
        Lines {
            output: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            json: output.is_json(),
        }
    }

    pub(super) fn batch(&mut self, batch: &BatchLine) -> Result<(), Failure> {
        self.put(batch, || batch.text())
    }

    pub(super) fn damage(&mut self, file: &str, damage: &Damage) -> Result<(), Failure> {
        let (from, to, position) = (damage.from, damage.to, damage.position);
        let line = DamageLine {
            damage: &damage.why,
            file,
            position,
            first_offset: from.0,
            end_offset: to.0,
        };
        self.put(&line, || {
            format!(
                "{from}..{to} DAMAGED, the last one exclusive: {}  {file} at byte {position}",
                damage.why
            )
        })
    }

    pub(super) fn offline(&mut self, offline: Offline) -> Result<(), Failure> {
        let line = OfflineLine {
            offline: offline.reason.to_string(),
            whole_below: offline.position.0,
        };
        self.put(&line, || {
            let (reason, position) = (offline.reason, offline.position);
            format!("{position}.. OFFLINE at a start: {reason}")
        })
    }

    /// A record; its value too, if that is wanted.
    pub(super) fn record(
        &mut self,
        written: &Written<'_>,
        with_value: bool,
    ) -> Result<(), Failure> {
        let record = &written.record;
        self.put(written, || {
            let time = or_dash(moment::render(record.timestamp.0));
            let key = record.key.map_or("-".to_owned(), quoted);
            let value = match (record.value, with_value) {
                (None, _) => "null".to_owned(),
                (Some(value), false) => format!("{} bytes", value.len()),
                (Some(value), true) => quoted(value),
            };
            let headers = record.headers().map(|(name, value)| {
                let value = value.map_or("-".to_owned(), quoted);
                format!(" {}={value}", quoted(name))
            });
            let headers: String = headers.collect();
            format!(
                "    {}  {time}  key {key}  value {value}{headers}",
                record.offset
            )
        })
    }

    /// A document of a line, or its text.
    pub(super) fn put(
        &mut self,
        document: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let written = match self.json {
            true => serde_json::to_writer(&mut self.output, document)
                .map_err(io::Error::from)
                .and_then(|()| self.output.write_all(b"\n")),
            false => writeln!(self.output, "{}", text()),
        };
        written.map_err(output_failure)
    }

    pub(super) fn end(mut self) -> Result<(), Failure> {
        self.output.flush().map_err(output_failure)
    }
}

/// Text in quotes, in which nothing moves a cursor; bytes that are no text in base64.
fn quoted(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("base64:{}", STANDARD.encode(bytes)),
    }
}

fn codec_name(header: &BatchHeader) -> &'static str {
    match header.attributes.codec() {
        Ok(Codec::None) => "none",
        Ok(Codec::Gzip) => "gzip",
        Ok(Codec::Snappy) => "snappy",
        Ok(Codec::Lz4) => "lz4",
        Ok(Codec::Zstd) => "zstd",
        Err(_) => "unknown",
    }
}
