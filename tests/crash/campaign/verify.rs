//! A start against the model: nothing answered is lost, nothing is there that nobody wrote.

use super::model::{LogModel, SeenBatch, SeenProducers};
use ottla::base::offset::Offset;
use ottla::base::time::Timestamp;
use ottla::log::epoch_table::EpochEntry;
use ottla::log::producer_table::ProducerTable;
use ottla::storage::start::PartitionStart;
use std::collections::BTreeSet;

/// Compares everything but the bytes, which are read separately. Says what is wrong.
///
/// A cut that was asked for has happened or has not.
pub fn check_start(log: &LogModel, found: &PartitionStart) -> Result<(), String> {
    let uncut = check_log(log, found);
    match log.after_cut() {
        Some(cut) if uncut.is_err() && cut.end() == found.next_offset => {
            check_log(&cut, found).map_err(|wrong| format!("after the cut: {wrong}"))
        }
        _ => uncut,
    }
}

fn check_log(log: &LogModel, found: &PartitionStart) -> Result<(), String> {
    if let Some(offline) = found.offline {
        return Err(format!("offline: {offline:?}"));
    }
    let end = found.next_offset;
    if end < log.certain_end() {
        let certain = log.certain_end();
        return Err(format!("lost: ends at {end}, answered up to {certain}"));
    }
    if end > log.end() {
        return Err(format!(
            "invented: ends at {end}, written up to {}",
            log.end()
        ));
    }
    if !log.is_boundary(end) {
        return Err(format!("torn: ends at {end}, inside a batch"));
    }
    let log_start = found.log_start;
    if log_start != log.log_start && !log.log_starts_asked.contains(&log_start) {
        return Err(format!(
            "log start {log_start}, answered {}, asked for {:?}",
            log.log_start, log.log_starts_asked
        ));
    }
    if !log.may_promise(found.promise) {
        return Err(format!(
            "promise {}, answered {:?}",
            found.promise, log.promise
        ));
    }
    check_epochs(log, found)?;
    let kept = log.up_to(end);
    check_producers(&kept, &found.producers)?;
    // Batches below the log start may count still, until their segment goes; so may what a cut took away.
    let (least, most) = (kept.max_timestamp(log_start), kept.timestamp_bound());
    let least = match log.is_compacted {
        true => Timestamp::NONE,
        false => least,
    };
    if !(least..=most).contains(&found.max_timestamp) {
        let found = found.max_timestamp;
        return Err(format!(
            "largest timestamp {found:?}, not {least:?}..={most:?}"
        ));
    }
    Ok(())
}

/// Each producer's last batches, five of them unless a cut took later ones away.
fn check_producers(kept: &LogModel, found: &ProducerTable) -> Result<(), String> {
    let (least, most) = (kept.producers(false), kept.producers(true));
    let found = seen(found);
    let window = |table: &SeenProducers, id| table.get(id).cloned().unwrap_or_default();
    let ids: BTreeSet<_> = most.keys().chain(found.keys()).collect();
    for id in ids {
        let (epoch, batches) = window(&found, id);
        let (least, most) = (window(&least, id), window(&most, id));
        let forgotten = most.1.len().saturating_sub(batches.len());
        let is_whole = batches.len() >= least.1.len();
        let is_last = most.1.iter().skip(forgotten).eq(batches.iter());
        if !is_whole || !is_last || (!batches.is_empty() && epoch != most.0) {
            return Err(format!("producer {id:?}: {batches:?}, expected {most:?}"));
        }
    }
    Ok(())
}

/// An epoch that starts below the end is there; one that starts at the end may be.
fn check_epochs(log: &LogModel, found: &PartitionStart) -> Result<(), String> {
    let end = found.next_offset;
    let certain = log.epochs.iter().filter(|entry| entry.start < end).count();
    let possible = log.epochs.iter().filter(|entry| entry.start <= end).count();
    let is_expected = (certain..=possible).any(|count| {
        let expected = folded(&log.epochs[..count], found.log_start);
        expected == folded(found.epochs.entries(), found.log_start)
    });
    if is_expected {
        return Ok(());
    }
    Err(format!(
        "epochs {:?} with log start {} and end {end}, noted {:?}",
        found.epochs.entries(),
        found.log_start,
        log.epochs
    ))
}

/// What is below the log start is one entry: the epoch that the log start lies in. An epoch without a record that
/// ends there may or may not have been folded, by when it was noted.
fn folded(epochs: &[EpochEntry], log_start: Offset) -> Vec<EpochEntry> {
    let mut kept: Vec<EpochEntry> = Vec::new();
    for entry in epochs {
        if entry.start <= log_start {
            kept.clear();
        }
        kept.push(EpochEntry {
            epoch: entry.epoch,
            start: entry.start.max(log_start),
        });
    }
    kept
}

fn seen(table: &ProducerTable) -> SeenProducers {
    table
        .iter()
        .map(|(id, producer)| {
            let batches = producer.batches().map(|batch| SeenBatch {
                base_sequence: batch.base_sequence,
                last_sequence: batch.last_sequence,
                base_offset: batch.base_offset,
                last_offset: batch.last_offset,
                timestamp: batch.timestamp,
            });
            (id, (producer.epoch(), batches.collect()))
        })
        .collect()
}
