//! What the broker's configs allow groups.

use crate::base::limits::{GROUP_BYTES_MAX, GROUP_LOG_BYTES_MIN};

/// Broker configs of groups, resolved; the same for every coordinator of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`, `group.max.session.timeout.ms`.
    pub session_ms_min: i32,
    pub session_ms_max: i32,
    /// `group.max.size`.
    pub members_max: usize,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_delay_ms: u64,
    /// `offsets.retention.minutes`.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub expiry_check_ms: u64,
    /// `offset.metadata.max.bytes`.
    pub metadata_bytes_max: usize,
    /// Largest batch that the log takes.
    pub batch_bytes_max: usize,
    /// A log below this is not rewritten.
    pub log_bytes_min: usize,
}

impl GroupSettings {
    /// What the members of one group may bring, and what their leader may assign, so that one record holds both.
    pub(super) fn group_bytes_max(&self) -> usize {
        GROUP_BYTES_MAX.min(self.batch_bytes_max / 4)
    }
}

impl Default for GroupSettings {
    /// Kafka's defaults.
    fn default() -> GroupSettings {
        GroupSettings {
            session_ms_min: 6_000,
            session_ms_max: 1_800_000,
            members_max: i32::MAX as usize,
            initial_delay_ms: 3_000,
            offsets_retention_ms: 7 * 24 * 3_600_000,
            expiry_check_ms: 600_000,
            metadata_bytes_max: 4_096,
            batch_bytes_max: 4 * GROUP_BYTES_MAX,
            log_bytes_min: GROUP_LOG_BYTES_MIN,
        }
    }
}
