//! The metadata log, record by record, of every generation that is there.

use crate::failure::{Done, Failure};
use crate::log::directory::{DataDirectory, unreadable};
use crate::log::lines::Lines;
use ottla::boot::rehearsal::describe_metadata;
use ottla::log::meta_format::{decode_log, decode_snapshot};
use ottla::log::paths::{MetaFileKind, meta_folder, meta_path, parse_meta_name};
use serde::Serialize;
use std::fs;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    file: String,
    /// Of the records of this file, from 0; none for a snapshot.
    number: Option<usize>,
    record: String,
}

pub(super) fn dump(directory: &DataDirectory, lines: &mut Lines) -> Result<Done, Failure> {
    let folder = meta_folder(directory.root());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
        let entry = entry.map_err(|error| unreadable(&folder, &error))?;
        files.extend(entry.file_name().to_str().and_then(parse_meta_name));
    }
    files.sort_by_key(|(kind, generation)| (*generation, std::cmp::Reverse(*kind)));
    let mut done = Done::All;
    for (kind, generation) in files {
        let path = meta_path(&folder, kind, generation);
        let bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        let file = directory.name(&path);
        let read = match kind {
            MetaFileKind::Snapshot => decode_snapshot(&bytes).map(|(header, state)| {
                let (bytes, sequence) = (state.len(), header.next.sequence);
                vec![(
                    None,
                    format!("state of {bytes} bytes, all before record {sequence}"),
                )]
            }),
            MetaFileKind::Log => decode_log(&bytes.into()).map(|contents| {
                let entries = contents.entries.iter().enumerate();
                let entries =
                    entries.map(|(number, entry)| (Some(number), describe_metadata(entry)));
                entries.collect()
            }),
        };
        let records = read.unwrap_or_else(|error| {
            done = Done::Problems;
            vec![(None, format!("DAMAGED: {error:?}"))]
        });
        for (number, record) in records {
            let line = Line {
                file: file.clone(),
                number,
                record,
            };
            lines.put(&line, || match line.number {
                Some(number) => format!("{file} {number}  {}", line.record),
                None => format!("{file}  {}", line.record),
            })?;
        }
    }
    Ok(done)
}
