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

impl Metric {
    /// The name without the `_total` that encoders of counters add themselves.
    pub fn family(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }
}

macro_rules! catalog {
    ($($constant:ident $kind:ident $name:literal [$($label:literal),*] $help:literal)*) => {
        $(pub static $constant: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            help: $help,
            labels: &[$($label),*],
        };)*

        /// All of them, in the order of a scrape.
        pub static CATALOG: &[&Metric] = &[$(&$constant),*];
    };
}

#[rustfmt::skip]
catalog! {
    // The Kafka plane.
    REQUESTS Counter "ottla_requests_total" ["shard", "api", "error"]
        "Requests answered, by how they ended."
    REQUEST_SECONDS Histogram "ottla_request_seconds" ["shard", "api", "stage"]
        "Time requests took, by stage."
    REQUESTS_IN_FLIGHT Gauge "ottla_requests_in_flight" ["shard"]
        "Requests received and not yet answered."
    RECEIVED_BYTES Counter "ottla_received_bytes_total" ["shard"]
        "Bytes read from Kafka clients."
    SENT_BYTES Counter "ottla_sent_bytes_total" ["shard"]
        "Bytes written to Kafka clients."
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
        "Part of the journal ring that is free."

    // Segments and memory.
    LAPS Counter "ottla_laps_total" ["shard"]
        "Laps: rounds that moved bytes from memory to segments and freed the journal."
    LAP_SECONDS Histogram "ottla_lap_seconds" ["shard"]
        "Time of one lap."
    SEGMENT_WRITTEN_BYTES Counter "ottla_segment_written_bytes_total" ["shard"]
        "Bytes written to segments."
    TAIL_DIRTY_BYTES Gauge "ottla_tail_dirty_bytes" ["shard"]
        "Bytes of the log in memory and journal that are not in synced segments."
    POOL_USED Gauge "ottla_pool_used_bytes" ["shard"]
        "Memory of the shard's pool in use."
    POOL_LIMIT Gauge "ottla_pool_limit_bytes" ["shard"]
        "Memory the shard's pool may use."
    ADMISSION_WAITS Counter "ottla_admission_waits_total" ["shard"]
        "Batches that waited for room in journal or pool."
    COLD_READS Counter "ottla_cold_reads_total" ["shard"]
        "Reads from segments on disk."
    COLD_READ_BYTES Counter "ottla_cold_read_bytes_total" ["shard"]
        "Bytes read from segments on disk."
    DAMAGED_CHUNKS Counter "ottla_damaged_chunks_total" ["shard"]
        "Chunks of a segment found damaged when they were read."
    RECOVERY_BYTES Gauge "ottla_recovery_read_bytes" ["shard"]
        "Journal bytes the last start read; none after a clean stop."

    // The shard.
    MAILBOX_DEPTH Gauge "ottla_mailbox_depth" ["shard"]
        "Requests sent to other shards and not yet answered."
    MAILBOX_FULL Counter "ottla_mailbox_full_total" ["shard"]
        "Requests to another shard that were turned back because its mailbox was full."
    PRODUCE_DUPLICATES Counter "ottla_produce_duplicates_total" ["shard"]
        "Batches recognised as sent before and answered with their first offset."
    FETCH_WAITERS Gauge "ottla_fetch_waiters" ["shard"]
        "Fetches that wait for data."
    PARTITIONS Gauge "ottla_partitions" ["shard"]
        "Partitions this shard owns."
    PARTITIONS_OFFLINE Gauge "ottla_partitions_offline" ["shard"]
        "Partitions that serve nothing because their data is damaged."

    // The node.
    SHARD_UP Gauge "ottla_shard_up" ["shard"]
        "1 when the shard answered this scrape in time, else 0."
    SHARDS Gauge "ottla_shards" []
        "Shards of this process."
    DIRECTORY_FAILED Gauge "ottla_directory_failed" []
        "1 when the data directory has failed and nothing is written any more, else 0."
    START_SECONDS Gauge "ottla_start_seconds" []
        "Time from the start of the process until every shard served."
    BUILD Gauge "ottla_build_info" ["version", "commit"]
        "1, with the version of this broker as labels."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for (index, metric) in CATALOG.iter().enumerate() {
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
            assert!(
                CATALOG[..index].iter().all(|other| other.name != name),
                "{name}"
            );
        }
    }

    #[test]
    fn every_metric_is_explained_in_a_sentence() {
        for metric in CATALOG {
            let help = metric.help;
            let sentence = help.starts_with(|c: char| c.is_uppercase() || c.is_numeric());
            assert!(sentence && help.ends_with('.'), "{}", metric.name);
            assert!(!help.contains(['\n', '\\']), "{}", metric.name);
        }
    }
}
