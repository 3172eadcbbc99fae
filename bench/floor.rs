//! The disk alone, in the same directory: direct, flushed writes into a file written before, and direct reads.
#![allow(
    dead_code,
    reason = "shared by several programs, each of which uses a part"
)]

use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Instant;

const BLOCK: usize = 4096;
const FILE_BYTES: usize = 64 << 20;

pub(crate) struct Floor {
    file: File,
    buffer: Vec<u8>,
}

impl Floor {
    pub(crate) fn in_directory(path: &Path) -> Floor {
        let flags = OFlags::DIRECT | OFlags::DSYNC;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(flags.bits() as i32)
            .open(path.join("floor"))
            .expect("the directory is on a disk");
        let mut floor = Floor {
            file,
            buffer: vec![0x5a; FILE_BYTES / 16 + BLOCK],
        };
        if floor.file.metadata().expect("open").len() < FILE_BYTES as u64 {
            floor.writes(FILE_BYTES / 16, 16);
        }
        floor
    }

    /// Microseconds of each flushed write of `bytes`, rounded up to blocks.
    pub(crate) fn writes(&mut self, bytes: usize, count: usize) -> Vec<f64> {
        let bytes = bytes.next_multiple_of(BLOCK);
        (0..count)
            .map(|number| {
                let position = (number * bytes % (FILE_BYTES - bytes + 1)) / BLOCK * BLOCK;
                let started = Instant::now();
                let buffer = aligned(&mut self.buffer, bytes);
                self.file
                    .write_all_at(buffer, position as u64)
                    .expect("room");
                started.elapsed().as_secs_f64() * 1e6
            })
            .collect()
    }

    /// Megabytes per second of flushed writes of this size, one after the other.
    pub(crate) fn write_rate(&mut self, bytes: usize, count: usize) -> f64 {
        let micros: f64 = self.writes(bytes, count).iter().sum();
        (bytes * count) as f64 / micros
    }

    /// Megabytes per second of direct reads of 1 MiB.
    pub(crate) fn read_rate(&mut self, megabytes: usize) -> f64 {
        let bytes = 1 << 20;
        let started = Instant::now();
        for number in 0..megabytes {
            let position = number * bytes % FILE_BYTES;
            let buffer = aligned(&mut self.buffer, bytes);
            self.file
                .read_exact_at(buffer, position as u64)
                .expect("written before");
        }
        (bytes * megabytes) as f64 / 1e6 / started.elapsed().as_secs_f64()
    }
}

/// Direct I/O wants memory that starts at a block.
fn aligned(buffer: &mut [u8], bytes: usize) -> &mut [u8] {
    let start = buffer.as_ptr().align_offset(BLOCK);
    &mut buffer[start..start + bytes]
}
