//! What a change on the disk is, in the words of the ledger. Nothing here decides what is right.

use crate::sim::{Machine, Operation};
use ottla::log::journal_format::{RECORD_HEADER_BYTES, RecordHeader};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A category of cuts.
pub type Label = Cow<'static, str>;

const ENTRY_HEADER_BYTES: usize = 32;
const ENTRY_ALIGN: usize = 8;
/// By kind, from 1 on: `log/entry.rs`.
const ENTRY_KINDS: [&str; 13] = [
    "Data",
    "Truncate",
    "Roll",
    "Sealed",
    "EpochStart",
    "Promise",
    "LogStart",
    "Drop",
    "Reset",
    "Snapshot",
    "Extent",
    "Replace",
    "Stamps",
];

/// Names changes. Remembers the cycle that each ring is in the middle of.
#[derive(Clone, Default)]
pub struct Labels {
    /// By folder and shard: what of the cycle's body has been asked for.
    cycles: BTreeMap<PathBuf, Vec<u8>>,
}

impl Labels {
    /// No label: the change changes nothing.
    pub fn of(&mut self, machine: &Machine, path: &Path, operation: &Operation) -> Vec<Label> {
        let of_file =
            |what: &str| -> Vec<Label> { vec![format!("{what} of {}", place(path)).into()] };
        match operation {
            Operation::Write { bytes, .. } if place(path) == "journal" => {
                self.entries(&ring(path), bytes)
            }
            Operation::Write { .. } => vec![format!("{} write", place(path)).into()],
            Operation::Len { file, len } => match machine.bytes(*file).len() {
                before if *len < before => of_file("cut"),
                before if *len > before => of_file("growth"),
                _ => Vec::new(),
            },
            Operation::Sync { .. } => of_file("sync"),
            Operation::SyncFileSystem { .. } => vec!["sync of the file system".into()],
            Operation::SyncDirectory { .. } => vec!["sync of a directory".into()],
            Operation::Create(path) | Operation::CreateDirectory(path) => {
                match machine.is_there(path) {
                    true => Vec::new(),
                    false => vec!["creation of a name".into()],
                }
            }
            Operation::Rename(..) => vec!["rename".into()],
            Operation::RemoveFile(_) | Operation::RemoveDirectory(_) => {
                vec!["removal of a name".into()]
            }
        }
    }

    /// The kinds of the entries of which this record has a part.
    fn entries(&mut self, ring: &Path, record: &[u8]) -> Vec<Label> {
        let Some((header, _)) = RecordHeader::decode(record) else {
            return vec!["journal write".into()];
        };
        let cycle = self.cycles.entry(ring.to_path_buf()).or_default();
        if !header.continued {
            cycle.clear();
        }
        let from = cycle.len();
        let body_end = RECORD_HEADER_BYTES + header.body_bytes as usize;
        cycle.extend_from_slice(&record[RECORD_HEADER_BYTES..body_end]);
        let kinds = kinds(cycle, from);
        match kinds.is_empty() {
            true => vec!["entry: none".into()],
            false => kinds,
        }
    }
}

/// Kinds of the entries that reach beyond `from`, each once.
fn kinds(cycle: &[u8], from: usize) -> Vec<Label> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + ENTRY_HEADER_BYTES <= cycle.len() {
        let len = cycle[at + 4..at + 8].try_into().expect("four bytes");
        let body = u32::from_le_bytes(len) as usize;
        let end = at + (ENTRY_HEADER_BYTES + body).next_multiple_of(ENTRY_ALIGN);
        let kind = usize::from(cycle[at]);
        if end > from {
            let label: Label = match ENTRY_KINDS.get(kind.wrapping_sub(1)) {
                Some(name) => format!("entry: {name}").into(),
                None => format!("entry: kind {kind}").into(),
            };
            if !found.contains(&label) {
                found.push(label);
            }
        }
        at = end;
    }
    found
}

/// The ring that a file belongs to.
fn ring(path: &Path) -> PathBuf {
    let name = path.to_string_lossy();
    let shard = name.rsplit_once('-').map_or(&*name, |(shard, _)| shard);
    PathBuf::from(shard)
}

/// What kind of file it is.
fn place(path: &Path) -> &'static str {
    let text = |part: Option<&OsStr>| part.map(|it| it.to_string_lossy().into_owned());
    let name = text(path.file_name()).unwrap_or_default();
    let folder = text(path.parent().and_then(Path::file_name)).unwrap_or_default();
    match folder.as_str() {
        "journal" if name.ends_with(".new") => "new ring file",
        "journal" => "journal",
        "state" if name.contains(".ring.") => "ring ledger",
        "state" => "snapshot",
        "meta" => "metadata",
        "ballast" => "ballast",
        _ if name.starts_with("node.") => "superblock",
        _ if name.ends_with(".log") => "segment",
        _ if name.ends_with(".idx") => "index",
        _ => "other file",
    }
}

#[test]
fn a_record_is_labelled_by_the_entries_it_has_a_part_of() {
    let entry = |kind: u8, body: usize| {
        let mut bytes = vec![0; (ENTRY_HEADER_BYTES + body).next_multiple_of(ENTRY_ALIGN)];
        bytes[0] = kind;
        bytes[4..8].copy_from_slice(&(body as u32).to_le_bytes());
        bytes
    };
    let cycle = [entry(1, 100), entry(3, 24), entry(77, 0)].concat();
    let named = |from, to| {
        let found = kinds(&cycle[..to], from);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(named(0, 60), ["entry: Data"]);
    assert_eq!(named(60, 160), ["entry: Data"]);
    assert_eq!(named(60, 200), ["entry: Data", "entry: Roll"]);
    assert_eq!(named(136, cycle.len()), ["entry: Roll", "entry: kind 77"]);
}
