//! The snapshot files of a shard: two slots of two copies, of which one slot counts.

use super::directory::{DataDirectory, unreadable};
use crate::failure::Failure;
use ottla::base::align::BLOCK;
use ottla::log::journal_format::JournalOwner;
use ottla::log::paths::{STATE_COPIES, STATE_SLOTS, state_path};
use ottla::log::section::Section;
use ottla::log::snapshot_format::{SnapshotHeader, decode_sections};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// One copy, as it was found.
pub(super) struct Copy {
    pub(super) path: PathBuf,
    pub(super) state: CopyState,
}

pub(super) enum CopyState {
    /// Sound, and of the generation that counts.
    Counts(Vec<Section>),
    /// Sound, of another generation or life: left over.
    LeftOver {
        generation: u64,
    },
    /// Never written, or not there.
    Empty,
    /// Its header is sound, its body is not.
    BodyDamaged {
        generation: u64,
        counts: bool,
    },
    HeaderDamaged,
}

/// Every copy of a shard, judged by the generation that counts and the checksum that its journal entry gives.
pub(super) fn read_copies(
    directory: &DataDirectory,
    owner: JournalOwner,
    generation: u64,
    crc: Option<u32>,
) -> Result<Vec<Copy>, Failure> {
    let mut copies = Vec::new();
    for slot in 0..STATE_SLOTS {
        for copy in 0..STATE_COPIES {
            let path = state_path(directory.root(), owner.shard, slot, copy);
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(unreadable(&path, &error)),
            };
            let counts = |header: &SnapshotHeader| {
                header.owner == owner
                    && header.generation == generation
                    && crc.is_none_or(|crc| crc == header.body_crc)
            };
            copies.push(Copy {
                path,
                state: judge(&bytes, counts),
            });
        }
    }
    Ok(copies)
}

fn judge(bytes: &[u8], counts: impl Fn(&SnapshotHeader) -> bool) -> CopyState {
    let Some(header) = SnapshotHeader::decode(bytes) else {
        return match bytes.iter().all(|byte| *byte == 0) {
            true => CopyState::Empty,
            false => CopyState::HeaderDamaged,
        };
    };
    let (generation, counts) = (header.generation, counts(&header));
    let body = bytes.get(BLOCK..BLOCK + header.body_bytes as usize);
    match body.and_then(|body| decode_sections(&header, body)) {
        Some(sections) if counts => CopyState::Counts(sections),
        Some(_) => CopyState::LeftOver { generation },
        None => CopyState::BodyDamaged { generation, counts },
    }
}
