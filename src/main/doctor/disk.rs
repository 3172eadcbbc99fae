//! What the drive under the data directory can do, without a broker: flushed writes one at a time, and streams.

use super::percentiles::Samples;
use crate::failure::Failure;
use crate::host::direct::{BLOCK, DirectFile};
use crate::output::{Column, Table, or_dash};
use serde::Serialize;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

/// Filling the file first: a slow drive gets a smaller file.
const PREPARE_FOR: Duration = Duration::from_secs(5);
const FILE_BYTES: u64 = 256 << 20;
const STREAM_BYTES: usize = 1 << 20;
/// A fast drive is not worn down for a number.
const STREAM_TOTAL_BYTES_MAX: u64 = 4 << 30;
const FLUSHED_WRITES_MAX: usize = 100_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measured {
    file_bytes: u64,
    flushed_write: Flushed,
    write_bytes_per_second: f64,
    read_bytes_per_second: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Flushed {
    bytes: usize,
    count: usize,
    /// Null: too few for it.
    p50_seconds: Option<f64>,
    p99_seconds: Option<f64>,
    p999_seconds: Option<f64>,
}

impl Measured {
    pub(crate) fn flushed_micros(&self) -> Option<f64> {
        self.flushed_write.p50_seconds.map(|seconds| seconds * 1e6)
    }

    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new(&[
            Column::Text("DISK"),
            Column::Text("MEASURED"),
            Column::Text("MEANS"),
        ]);
        let Flushed {
            count,
            p50_seconds,
            p99_seconds,
            p999_seconds,
            ..
        } = &self.flushed_write;
        let [p50, p99, p999] = [p50_seconds, p99_seconds, p999_seconds]
            .map(|seconds| or_dash(seconds.map(|seconds| format!("{:.0}", seconds * 1e6))));
        let rate = |bytes: f64| format!("{:.0} MB/s", bytes / 1e6);
        let mut row = |cells: [&str; 3]| table.row(cells.map(str::to_owned));
        row([
            "4 KiB flushed write, one at a time",
            &format!("p50 {p50} us, p99 {p99} us, p99.9 {p999} us, {count} writes"),
            "no flushed acknowledgement is faster; requests in flight share it",
        ]);
        row([
            "1 MiB writes in sequence",
            &rate(self.write_bytes_per_second),
            "all that is produced is written twice: journal, then segment",
        ]);
        row([
            "1 MiB reads in sequence",
            &rate(self.read_bytes_per_second),
            "consumers far behind share it",
        ]);
        table
    }
}

/// `each` of three measurements takes so long. What it writes has no name: it is gone when this ends, in whatever way.
pub(crate) fn measure(directory: &Path, each: Duration) -> Result<Measured, Failure> {
    if io::stderr().is_terminal() {
        let most = PREPARE_FOR + 3 * each;
        eprintln!(
            "measuring in {}, up to {:.0} s",
            directory.display(),
            most.as_secs_f64()
        );
    }
    streams_and_writes(directory, each).map_err(|error| {
        let failure = Failure::new(format!(
            "the disk cannot be measured in {}: {error}",
            directory.display()
        ));
        failure.fix(match error.kind() {
            ErrorKind::StorageFull => "256 MiB of free space, or another directory with --data",
            ErrorKind::InvalidInput => "--data on a file system with direct I/O (ext4 or xfs)",
            _ => "--data with a directory this user may write to",
        })
    })
}

fn streams_and_writes(directory: &Path, each: Duration) -> io::Result<Measured> {
    let mut file = DirectFile::create(directory, STREAM_BYTES)?;
    let file_bytes = prepare(&mut file)?;
    let flushed_write = flushed(&mut file.write_through(BLOCK)?, file_bytes, each)?;
    let write_bytes_per_second = stream(file_bytes, each, &mut |position| match position {
        Some(position) => file.write_at(position),
        None => file.sync(),
    })?;
    let read_bytes_per_second = stream(file_bytes, each, &mut |position| match position {
        Some(position) => file.read_at(position),
        None => Ok(()),
    })?;
    Ok(Measured {
        file_bytes,
        flushed_write,
        write_bytes_per_second,
        read_bytes_per_second,
    })
}

/// Writes the file once, as a journal is written before it is used. Returns its length, a whole number of streamed pieces.
fn prepare(file: &mut DirectFile) -> io::Result<u64> {
    let started = Instant::now();
    let mut bytes = 0;
    while bytes < FILE_BYTES && started.elapsed() < PREPARE_FOR {
        file.write_at(bytes)?;
        bytes += STREAM_BYTES as u64;
    }
    file.sync()?;
    Ok(bytes)
}

/// Block after block, as a journal is written.
fn flushed(file: &mut DirectFile, file_bytes: u64, each: Duration) -> io::Result<Flushed> {
    let started = Instant::now();
    let mut nanos = Vec::with_capacity(FLUSHED_WRITES_MAX);
    let mut position = 0;
    while started.elapsed() < each && nanos.len() < FLUSHED_WRITES_MAX {
        let began = Instant::now();
        file.write_at(position)?;
        nanos.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        position = (position + BLOCK as u64) % file_bytes;
    }
    let samples = Samples::new(nanos);
    let seconds = |per_mille| samples.at(per_mille).map(|nanos| nanos as f64 / 1e9);
    Ok(Flushed {
        bytes: BLOCK,
        count: samples.count(),
        p50_seconds: seconds(500),
        p99_seconds: seconds(990),
        p999_seconds: seconds(999),
    })
}

/// Bytes per second of pieces one after the other, from the start again at the end of the file; `None` ends it.
fn stream(
    file_bytes: u64,
    each: Duration,
    piece: &mut dyn FnMut(Option<u64>) -> io::Result<()>,
) -> io::Result<f64> {
    let started = Instant::now();
    let mut bytes = 0;
    while started.elapsed() < each && bytes < STREAM_TOTAL_BYTES_MAX {
        piece(Some(bytes % file_bytes))?;
        bytes += STREAM_BYTES as u64;
    }
    piece(None)?;
    Ok(bytes as f64 / started.elapsed().as_secs_f64())
}
