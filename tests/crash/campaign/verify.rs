//! A start against the model: nothing answered is lost, nothing is there that nobody wrote.

use super::model::{LogModel, SeenBatch, SeenProducers};
use ottla::base::offset::Offset;
use ottla::base::time::Timestamp;
use ottla::log::epoch_table::EpochEntry;
use ottla::log::producer_table::ProducerTable;
use ottla::storage::start::PartitionStart;

/// Compares everything but the bytes, which are read separately. Says what is wrong.
pub fn check_start(log: &LogModel, found: &PartitionStart) -> Result<(), String> {
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
    check_epochs(log, found)?;
    let mut kept = log.clone();
    kept.settle(log_start, end, &[]);
    let (expected, producers) = (kept.producers(), seen(&found.producers));
    if producers != expected {
        return Err(format!("producers {producers:?}, expected {expected:?}"));
    }
    // Batches below the log start may count still, until their segment goes.
    let (least, most) = (
        kept.max_timestamp(log_start),
        kept.max_timestamp(Offset::ZERO),
    );
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
