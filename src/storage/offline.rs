//! Telling an operator of a partition that is offline, and of the loss that was accepted to bring one back.

use crate::base::ids::PartitionId;
use crate::log::offline::Offline;
use crate::log::section::Section;

pub(super) fn report_offline(id: PartitionId, topic: &str, offline: Offline) {
    let index = id.index;
    tracing::error!(
        topic_id = %id.topic,
        "partition {topic}-{index} is offline: {}; its log is known to be whole below offset {}. Fix: restore the data \
         directory from a copy, or restart with --accept-loss {topic}-{index} to go on with what is left",
        offline.reason,
        offline.position,
    );
}

/// `before` is what the log was said to be, `left` what was found of it.
pub(super) fn report_accepted(topic: &str, before: &Section, left: &Section) {
    let index = before.id.index;
    let (from, to) = (left.log_start, left.next_offset);
    let mut lost = Vec::new();
    if before.log_start < from {
        lost.push(format!("{} to {from}", before.log_start));
    }
    if before.next_offset > to {
        lost.push(format!("{to} to {}", before.next_offset));
    }
    let lost = match lost.len() {
        0 => "nothing that is known of".to_owned(),
        _ => format!("offsets {} (exclusive)", lost.join(" and ")),
    };
    tracing::warn!(
        topic_id = %before.id.topic,
        "partition {topic}-{index} is back with offsets {from} to {to} (exclusive), its loss accepted. Lost: {lost}. \
         What was not taken over is in quarantine/",
    );
}
