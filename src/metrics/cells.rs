//! The cells each part of the program counts in. One set per core, except [`NodeCells`].

use super::catalog::*;
use super::counter::{Count, Gauge, Ratio, Seconds};
use super::histogram::Histogram;
use super::label::{Api, CoordinatorPhase, ErrorClass, GroupPhase, Split, Stage, TaskQueue};
use super::latency::Latency;
use super::snapshot::{Collect, Labels, Sample};
use std::rc::Rc;

/// Makes the struct, and the list of its cells with their metrics.
macro_rules! cells {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $cell:ty = $metric:ident,)* }) => {
        $(#[$doc])*
        #[derive(Default, Debug)]
        pub struct $name { $(pub $field: $cell,)* }

        impl $name {
            /// Adds what the cells hold now.
            pub fn collect(&self, labels: &Labels, samples: &mut Vec<Sample>) {
                $(self.$field.collect(&$metric, labels, samples);)*
            }

            /// The cells that time something in full, as far as they have.
            pub fn latencies<'a>(
                &'a self,
                labels: &Labels,
                found: &mut Vec<(&'static Metric, Labels, &'a Latency)>,
            ) {
                $(self.$field.latencies(&$metric, labels, found);)*
            }
        }
    };
}

cells! {
    /// What the Kafka plane counts on one core.
    PlaneCells {
        requests: Split<Api, Split<ErrorClass, Count>> = REQUESTS,
        request_seconds: Split<Api, Split<Stage, Latency>> = REQUEST_SECONDS,
        requests_in_flight: Gauge = REQUESTS_IN_FLIGHT,
        bytes_in: Count = RECEIVED_BYTES,
        bytes_out: Count = SENT_BYTES,
        fetched_bytes: Count = FETCHED_BYTES,
        frames_refused: Count = FRAMES_REFUSED,
        unknown_server_errors: Count = UNKNOWN_SERVER_ERRORS,
        connections_open: Gauge = CONNECTIONS_OPEN,
        connections_opened: Count = CONNECTIONS_OPENED,
        connections_closed: Count = CONNECTIONS_CLOSED,
        connections_refused: Count = CONNECTIONS_REFUSED,
        sockets_paused: Gauge = SOCKETS_PAUSED,
        request_bytes_used: Gauge = REQUEST_MEMORY_USED,
        request_bytes_limit: Gauge = REQUEST_MEMORY_LIMIT,
        answer_bytes_used: Gauge = ANSWER_MEMORY_USED,
    }
}

cells! {
    /// What storage counts on one core.
    StoreCells {
        commit_cycles: Count = COMMIT_CYCLES,
        commit_cycle_seconds: Latency = COMMIT_CYCLE_SECONDS,
        commit_bytes: Count = COMMIT_BYTES,
        commit_partitions: Count = COMMIT_PARTITIONS,
        journal_write_seconds: Latency = JOURNAL_WRITE_SECONDS,
        journal_free: Ratio = JOURNAL_FREE,
        laps: Count = LAPS,
        lap_seconds: Latency = LAP_SECONDS,
        segment_bytes: Count = SEGMENT_WRITTEN_BYTES,
        files_open: Gauge = SEGMENT_FILES_OPEN,
        snapshot_bytes: Gauge = SNAPSHOT_BYTES,
        tail_dirty_bytes: Gauge = TAIL_DIRTY_BYTES,
        pool_used: Gauge = POOL_USED,
        pool_limit: Gauge = POOL_LIMIT,
        cold_reads: Count = COLD_READS,
        cold_read_bytes: Count = COLD_READ_BYTES,
        damaged_chunks: Count = DAMAGED_CHUNKS,
        compactions: Count = COMPACTIONS,
        compaction_read_bytes: Count = COMPACTION_READ_BYTES,
        compaction_written_bytes: Count = COMPACTION_WRITTEN_BYTES,
        disk_full: Gauge = DISK_FULL,
        reserve_bytes: Gauge = DISK_RESERVE,
        reserve_needed_bytes: Gauge = DISK_RESERVE_NEEDED,
        retention_paused: Gauge = RETENTION_PAUSED,
        recovery_bytes: Gauge = RECOVERY_BYTES,
    }
}

cells! {
    /// What the shard itself counts on one core.
    ShardCells {
        appended_batches: Count = APPENDED_BATCHES,
        appended_records: Count = APPENDED_RECORDS,
        appended_bytes: Count = APPENDED_BYTES,
        produce_duplicates: Count = PRODUCE_DUPLICATES,
        produce_gaps: Count = PRODUCE_GAPS,
        produce_fenced: Count = PRODUCE_FENCED,
        fates_unknown: Count = FATES_UNKNOWN,
        producers: Gauge = PRODUCERS,
        admission_waits: Count = ADMISSION_WAITS,
        busy_seconds: Seconds = SHARD_BUSY,
        task_seconds: Split<TaskQueue, Seconds> = TASK_SECONDS,
        delay_seconds: Rc<Histogram> = SHARD_DELAY,
        mailbox_depth: Gauge = MAILBOX_DEPTH,
        mailbox_full: Count = MAILBOX_FULL,
        hops: Count = HOPS,
        fetch_waiters: Gauge = FETCH_WAITERS,
        partitions: Gauge = PARTITIONS,
        partitions_offline: Gauge = PARTITIONS_OFFLINE,
        coordinators: Split<CoordinatorPhase, Gauge> = COORDINATORS,
        groups: Split<GroupPhase, Gauge> = GROUPS,
        groups_members: Gauge = GROUPS_MEMBERS,
        groups_rebalances: Count = GROUPS_REBALANCES,
        groups_offsets: Gauge = GROUPS_OFFSETS,
        groups_state_bytes: Gauge = GROUPS_STATE_BYTES,
    }
}

cells! {
    /// What holds for the process as a whole; filled by whoever answers the scrape.
    NodeCells {
        shards: Gauge = SHARDS,
        directory_failed: Gauge = DIRECTORY_FAILED,
        disk_free: Gauge = DISK_FREE,
        disk_size: Gauge = DISK_SIZE,
        start_seconds: Ratio = START_SECONDS,
        build: Build = BUILD,
    }
}

/// The version of this program, as a metric that is always 1.
#[derive(Debug)]
pub struct Build {
    pub version: &'static str,
    pub commit: &'static str,
}

impl Default for Build {
    fn default() -> Build {
        Build {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("OTTLA_COMMIT").unwrap_or("unknown"),
        }
    }
}
