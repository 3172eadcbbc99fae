//! Every metric of the broker, once.

/// How a metric behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    /// Of durations, in seconds.
    Histogram,
}

/// One row of the catalogue.
#[derive(PartialEq, Eq, Debug)]
pub struct Metric {
    /// As a scrape shows it; the series of a histogram add `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    /// Every label a sample carries.
    pub labels: &'static [&'static str],
}

impl Kind {
    /// Prometheus's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

impl Metric {
    /// The name without the `_total` that encoders of counters add themselves.
    pub fn family(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }
}

macro_rules! catalog {
    ($(#[$doc:meta])* $list:ident: $($constant:ident $kind:ident $name:literal [$($label:literal),*] $help:literal)*) => {
        $(pub static $constant: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            help: $help,
            labels: &[$($label),*],
        };)*

        $(#[$doc])*
        pub static $list: &[&Metric] = &[$(&$constant),*];
    };
}

#[rustfmt::skip]
catalog! {
    /// What `/metrics` shows, in its order. Bounded whatever the number of topics, groups and clients.
    CATALOG:

    // The Kafka plane.
    REQUESTS Counter "ottla_requests_total" ["shard", "api", "error"]
        "Requests answered, by how they ended."
    REQUEST_SECONDS Histogram "ottla_request_seconds" ["shard", "api", "stage"]
        "Time requests took, by stage; the stages of a request add up to its total."
    REQUESTS_IN_FLIGHT Gauge "ottla_requests_in_flight" ["shard"]
        "Requests received and not yet answered."
    RECEIVED_BYTES Counter "ottla_received_bytes_total" ["shard"]
        "Bytes read from Kafka clients."
    SENT_BYTES Counter "ottla_sent_bytes_total" ["shard"]
        "Bytes written to Kafka clients."
    FETCHED_BYTES Counter "ottla_fetched_bytes_total" ["shard"]
        "Bytes of records in answers to fetches."
    FRAMES_REFUSED Counter "ottla_frames_refused_total" ["shard"]
        "Frames that could not be read; their connection was closed."
    UNKNOWN_SERVER_ERRORS Counter "ottla_unknown_server_errors_total" ["shard"]
        "Answers with UNKNOWN_SERVER_ERROR. Each is a defect of this broker."
    CONNECTIONS_OPEN Gauge "ottla_connections_open" ["shard"]
        "Open connections of Kafka clients."
    CONNECTIONS_OPENED Counter "ottla_connections_opened_total" ["shard"]
        "Connections accepted."
    CONNECTIONS_CLOSED Counter "ottla_connections_closed_total" ["shard"]
        "Connections that ended."
    CONNECTIONS_REFUSED Counter "ottla_connections_refused_total" ["shard"]
        "Connections closed at once because a limit was reached."
    SOCKETS_PAUSED Gauge "ottla_sockets_paused" ["shard"]
        "Connections that are not read because memory for requests is used up."
    REQUEST_MEMORY_USED Gauge "ottla_request_memory_used_bytes" ["shard"]
        "Memory held by request bodies."
    REQUEST_MEMORY_LIMIT Gauge "ottla_request_memory_limit_bytes" ["shard"]
        "Memory that request bodies may hold."
    ANSWER_MEMORY_USED Gauge "ottla_answer_memory_used_bytes" ["shard"]
        "Memory held by answers that are not yet sent."

    // What partitions did.
    APPENDED_BATCHES Counter "ottla_appended_batches_total" ["shard"]
        "Record batches appended to partitions, internal topics included."
    APPENDED_RECORDS Counter "ottla_appended_records_total" ["shard"]
        "Records in the appended batches."
    APPENDED_BYTES Counter "ottla_appended_bytes_total" ["shard"]
        "Bytes of the appended batches."
    PRODUCE_DUPLICATES Counter "ottla_produce_duplicates_total" ["shard"]
        "Batches recognised as sent before and answered with their first offset."
    PRODUCE_GAPS Counter "ottla_produce_sequence_gaps_total" ["shard"]
        "Batches of idempotent producers refused because one before them is missing."
    PRODUCE_FENCED Counter "ottla_produce_fenced_total" ["shard"]
        "Batches of idempotent producers refused because a newer session of their producer exists."
    FATES_UNKNOWN Counter "ottla_writes_unknown_total" ["shard"]
        "Produces and record deletions answered without knowing whether they last."
    PRODUCERS Gauge "ottla_producers" ["shard"]
        "Idempotent producers remembered, counted once for each partition they wrote to."
    ADMISSION_WAITS Counter "ottla_admission_waits_total" ["shard"]
        "Batches that waited for room in journal or pool."

    // The commit cycle and the journal.
    COMMIT_CYCLES Counter "ottla_commit_cycles_total" ["shard"]
        "Commit cycles: journal writes that made what was pending durable."
    COMMIT_CYCLE_SECONDS Histogram "ottla_commit_cycle_seconds" ["shard"]
        "Time of one commit cycle, from taking what is pending to reporting it durable."
    COMMIT_BYTES Counter "ottla_commit_bytes_total" ["shard"]
        "Bytes written to the journal."
    COMMIT_PARTITIONS Counter "ottla_commit_partitions_total" ["shard"]
        "Partitions in commit cycles, summed; divided by the cycles, how many share a flush."
    JOURNAL_WRITE_SECONDS Histogram "ottla_journal_write_seconds" ["shard"]
        "Time of one flushed journal write on the device."
    JOURNAL_FREE Gauge "ottla_journal_free_ratio" ["shard"]
        "Part of the journal ring that appends may still use; at 0 they wait."

    // Segments, memory and disk.
    LAPS Counter "ottla_laps_total" ["shard"]
        "Laps: rounds that moved bytes from memory to segments and freed the journal."
    LAP_SECONDS Histogram "ottla_lap_seconds" ["shard"]
        "Time of one lap."
    SEGMENT_WRITTEN_BYTES Counter "ottla_segment_written_bytes_total" ["shard"]
        "Bytes written to segments."
    SEGMENT_FILES_OPEN Gauge "ottla_segment_files_open" ["shard"]
        "Segment files open for writing."
    SNAPSHOT_BYTES Gauge "ottla_snapshot_bytes" ["shard"]
        "Size of the latest snapshot of the shard's state."
    TAIL_DIRTY_BYTES Gauge "ottla_tail_dirty_bytes" ["shard"]
        "Bytes of the log in memory and journal that are not in synced segments."
    POOL_USED Gauge "ottla_pool_used_bytes" ["shard"]
        "Memory of the shard's pool in use."
    POOL_LIMIT Gauge "ottla_pool_limit_bytes" ["shard"]
        "Memory the shard's pool may use."
    COLD_READS Counter "ottla_cold_reads_total" ["shard"]
        "Reads from segments on disk, because memory no longer had the bytes."
    COLD_READ_BYTES Counter "ottla_cold_read_bytes_total" ["shard"]
        "Bytes read from segments on disk."
    DAMAGED_CHUNKS Counter "ottla_damaged_chunks_total" ["shard"]
        "Chunks of a segment found damaged when they were read."
    COMPACTIONS Counter "ottla_compactions_total" ["shard"]
        "Compactions of a partition's log that came to their end."
    COMPACTION_READ_BYTES Counter "ottla_compaction_read_bytes_total" ["shard"]
        "Bytes that compaction read; what is compacted is read twice when it is new."
    COMPACTION_WRITTEN_BYTES Counter "ottla_compaction_written_bytes_total" ["shard"]
        "Bytes of the segments that compaction wrote."
    DISK_FULL Gauge "ottla_disk_full" ["shard"]
        "1 while nothing is appended because the disk is full, else 0."
    DISK_RESERVE Gauge "ottla_disk_reserve_bytes" ["shard"]
        "Disk space kept for what must still be written when the disk is full."
    DISK_RESERVE_NEEDED Gauge "ottla_disk_reserve_needed_bytes" ["shard"]
        "Disk space that must be kept, or nothing is appended."
    RETENTION_PAUSED Gauge "ottla_retention_paused" ["shard"]
        "1 while deletion by time pauses because the wall clock jumped ahead, else 0."
    RECOVERY_BYTES Gauge "ottla_recovery_read_bytes" ["shard"]
        "Journal bytes the last start read; none after a clean stop."

    // The shard.
    SHARD_BUSY Counter "ottla_shard_busy_seconds_total" ["shard"]
        "Time the shard's core did something; its rate is the busy ratio."
    TASK_SECONDS Counter "ottla_shard_task_seconds_total" ["shard", "class"]
        "Time the shard's core ran tasks, by task queue."
    SHARD_DELAY Histogram "ottla_shard_delay_seconds" ["shard"]
        "How long a task that could run waited for its core; one sample every 5 ms."
    MAILBOX_DEPTH Gauge "ottla_mailbox_depth" ["shard"]
        "Requests sent to other shards and not yet answered."
    MAILBOX_FULL Counter "ottla_mailbox_full_total" ["shard"]
        "Requests to another shard that were turned back because its mailbox was full."
    HOPS Counter "ottla_hops_total" ["shard"]
        "Requests sent to another shard."
    FETCH_WAITERS Gauge "ottla_fetch_waiters" ["shard"]
        "Fetches that wait for data."
    PARTITIONS Gauge "ottla_partitions" ["shard"]
        "Partitions this shard owns."
    PARTITIONS_OFFLINE Gauge "ottla_partitions_offline" ["shard"]
        "Partitions that serve nothing because their data is damaged."

    // Consumer groups.
    COORDINATORS Gauge "ottla_coordinators" ["shard", "phase"]
        "Partitions of __consumer_offsets, by what their coordinator does; groups of a failed one are not served."
    GROUPS Gauge "ottla_groups" ["shard", "state"]
        "Consumer groups."
    GROUPS_MEMBERS Gauge "ottla_groups_members" ["shard"]
        "Members of all groups."
    GROUPS_REBALANCES Counter "ottla_groups_rebalances_total" ["shard"]
        "Generations that groups began."
    GROUPS_OFFSETS Gauge "ottla_groups_committed_offsets" ["shard"]
        "Offsets committed by groups and not expired."
    GROUPS_STATE_BYTES Gauge "ottla_groups_state_bytes" ["shard"]
        "Memory of all groups, their members and offsets."
    GROUPS_LAG Gauge "ottla_groups_lag_records" ["shard"]
        "Records behind the committed offsets of all groups, summed."
    GROUPS_LAG_MAX Gauge "ottla_groups_lag_max_records" ["shard"]
        "The most records that one group has before it in one partition."

    // The node.
    SHARD_UP Gauge "ottla_shard_up" ["shard"]
        "1 when the shard answered this scrape in time, else 0."
    SHARDS Gauge "ottla_shards" []
        "Shards of this process."
    DIRECTORY_FAILED Gauge "ottla_directory_failed" []
        "1 when the data directory has failed and nothing is written any more, else 0."
    DISK_FREE Gauge "ottla_disk_free_bytes" []
        "Free space of the file system that holds the data directory."
    DISK_SIZE Gauge "ottla_disk_size_bytes" []
        "Size of the file system that holds the data directory."
    START_SECONDS Gauge "ottla_start_seconds" []
        "Time from the start of the process until every shard served."
    BUILD Gauge "ottla_build_info" ["version", "commit"]
        "1, with the version of this broker as labels."
}

#[rustfmt::skip]
catalog! {
    /// What `/metrics/detail` shows, in its order: grows with topics and groups, up to `admin.detail_series_max`.
    DETAIL:

    DROPPED_SERIES Gauge "ottla_metrics_dropped_series" []
        "Series left out of this answer because of admin.detail_series_max."
    GROUP_LAG Gauge "ottla_group_lag_records" ["group", "topic", "partition"]
        "Records behind the committed offset of a group."
    GROUP_MEMBERS Gauge "ottla_group_members" ["group"]
        "Members of a group."
    PARTITION_OFFLINE Gauge "ottla_partition_offline" ["topic", "partition"]
        "1 when the partition serves nothing because its data is damaged, else 0."
    PARTITION_LOG_START Gauge "ottla_partition_log_start_offset" ["topic", "partition"]
        "The first offset that can be read."
    PARTITION_HIGH_WATERMARK Gauge "ottla_partition_high_watermark_offset" ["topic", "partition"]
        "The offset below which everything can be read."
    PARTITION_SIZE Gauge "ottla_partition_size_bytes" ["topic", "partition"]
        "Bytes of the partition's log."
    PARTITION_APPENDED_RECORDS Counter "ottla_partition_appended_records_total" ["topic", "partition"]
        "Records appended since the start."
    PARTITION_APPENDED_BYTES Counter "ottla_partition_appended_bytes_total" ["topic", "partition"]
        "Bytes appended since the start."
}

/// Both.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    CATALOG.iter().chain(DETAIL).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for (index, metric) in all().enumerate() {
            let name = metric.name;
            let legal = |b: u8| b.is_ascii_lowercase() || b == b'_';
            assert!(
                name.starts_with("ottla_") && name.bytes().all(legal),
                "{name}"
            );
            assert_eq!(
                name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{name}"
            );
            assert_eq!(name.ends_with("_info"), name == BUILD.name);
            if metric.kind == Kind::Histogram {
                assert!(name.ends_with("_seconds"), "{name}");
            }
            for word in ["milli", "micro", "kilo", "counter", "gauge", "histogram"] {
                assert!(!name.contains(word), "{name}");
            }
            for suffix in ["_count", "_sum", "_bucket"] {
                assert!(!metric.family().ends_with(suffix), "{name}");
            }
            assert!(all().take(index).all(|other| other.name != name), "{name}");
        }
    }

    #[test]
    fn every_metric_is_explained_in_a_sentence() {
        for metric in all() {
            let help = metric.help;
            let sentence = help.starts_with(|c: char| c.is_uppercase() || c.is_numeric());
            assert!(sentence && help.ends_with('.'), "{}", metric.name);
            assert!(!help.contains(['\n', '\\']), "{}", metric.name);
        }
    }
}
