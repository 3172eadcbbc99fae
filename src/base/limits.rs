//! Every bound of the program, with the relations between bounds checked at compile time.
//!
//! `DEFAULT` is what a broker runs with, `TINY` lets a test reach each bound in milliseconds. A bound that is the
//! same in both is a plain constant.

use super::align::BLOCK;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The bounds that tests shrink. One copy per process, handed down by value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Files in a shard's journal ring.
    pub journal_files: usize,
    /// Size of each ring file; zero-filled once, then reused.
    pub journal_file_bytes: usize,
    /// Memory of a shard for tails, journal buffers and request bodies.
    pub pool_bytes: usize,
    /// Bytes of one commit cycle's journal record, at most.
    pub cycle_bytes_max: usize,
    /// Kept in the ring for entries other than `Data`.
    pub journal_reserve_bytes: usize,
    /// Log bytes per sparse index entry; one chunk checksum each.
    pub index_chunk_bytes: usize,
    /// Index entries are written so many together; those not yet written are made from the log again when they are missed.
    pub index_entries_together: usize,
    /// Segment files kept open for writing; the one used longest ago is closed first.
    pub open_for_writing_max: usize,
    /// First and largest step in which a segment file grows ahead of its writer.
    pub segment_grow_bytes_min: usize,
    pub segment_grow_bytes_max: usize,
    /// A file that becomes shorter gives its space back in steps of so much.
    pub cut_step_bytes: usize,
    /// Partitions of a lap whose files are synced one by one; of more, the whole file system is.
    pub syncs_of_lap_max: usize,
    /// So many new partitions without a file make a lap.
    pub files_ahead_min: usize,
    /// Files that a lap makes for partitions that have nothing yet, at most.
    pub files_ahead_max: usize,
    /// One file of the metadata log, written ahead with zeros; half full, a snapshot follows.
    pub meta_log_bytes: usize,
    /// Smallest `segment.bytes` that rolls (tests roll tiny segments).
    pub segment_bytes_min: usize,
}

impl Limits {
    pub const DEFAULT: Limits = Limits {
        journal_files: 8,
        journal_file_bytes: 16 * MIB,
        pool_bytes: 64 * MIB,
        cycle_bytes_max: 4 * MIB,
        journal_reserve_bytes: 16 * MIB,
        index_chunk_bytes: 64 * KIB,
        index_entries_together: 16,
        open_for_writing_max: 2_048,
        segment_grow_bytes_min: 64 * KIB,
        segment_grow_bytes_max: 64 * MIB,
        cut_step_bytes: MIB,
        syncs_of_lap_max: 64,
        files_ahead_min: 64,
        files_ahead_max: 256,
        meta_log_bytes: MIB,
        segment_bytes_min: MIB,
    };

    pub const TINY: Limits = Limits {
        journal_files: 4,
        journal_file_bytes: 64 * KIB,
        pool_bytes: 512 * KIB,
        cycle_bytes_max: 32 * KIB,
        journal_reserve_bytes: 64 * KIB,
        index_chunk_bytes: 4 * KIB,
        index_entries_together: 2,
        open_for_writing_max: 3,
        segment_grow_bytes_min: 8 * KIB,
        segment_grow_bytes_max: 32 * KIB,
        cut_step_bytes: 8 * KIB,
        syncs_of_lap_max: 2,
        files_ahead_min: 2,
        files_ahead_max: 3,
        meta_log_bytes: 32 * KIB,
        segment_bytes_min: 4 * KIB,
    };

    /// Bytes not yet in synced segments, at most.
    pub const fn dirty_bytes_max(&self) -> usize {
        self.pool_bytes / 2
    }

    /// Bodies of requests that a shard works on; no single one is larger.
    pub const fn request_bytes_max(&self) -> usize {
        self.pool_bytes / 4
    }

    /// The largest record batch a topic may allow (`max.message.bytes`).
    pub const fn batch_bytes_max(&self) -> usize {
        self.pool_bytes / 8
    }

    /// Kept inside the journal reserve for the entry that names a snapshot, without which nothing is ever freed.
    pub const fn journal_snapshot_reserve_bytes(&self) -> usize {
        self.journal_reserve_bytes / 8
    }

    const fn check(&self) {
        // A cycle with nothing but the snapshot entry, and what it may lose at the end of a file.
        assert!(self.journal_snapshot_reserve_bytes() >= 2 * BLOCK);
        // The ring must hold more than the dirty bytes that make a lap start, and one file besides as reserve.
        assert!(self.journal_files >= 3);
        assert!(
            self.journal_file_bytes.is_multiple_of(BLOCK)
                && self.cycle_bytes_max.is_multiple_of(BLOCK)
        );
        // A cycle with its header fits in any file of the ring.
        assert!(self.cycle_bytes_max + BLOCK <= self.journal_file_bytes);
        assert!(self.journal_reserve_bytes >= self.journal_file_bytes);
        // A lap captures in slices and writes chunks whole.
        assert!(self.index_chunk_bytes.is_multiple_of(BLOCK));
        assert!(self.segment_grow_bytes_min <= self.segment_grow_bytes_max);
        assert!(self.meta_log_bytes.is_multiple_of(BLOCK) && self.meta_log_bytes >= 2 * BLOCK);
    }
}

const _: () = Limits::DEFAULT.check();
const _: () = Limits::TINY.check();

/// The longest that a batch nobody waits for (class `memory`) stays out of the journal.
pub const UNAWAITED_MS_MAX: u64 = 10;
/// As many bytes of such batches begin a cycle.
pub const UNAWAITED_BYTES_MAX: u64 = 1 << 20;
/// After this much idleness one empty journal record follows the last answered one.
pub const IDLE_RECORD_AFTER_MS: u64 = 20;
/// Records of one refused batch that the answer names.
pub const RECORDS_TO_BLAME_MAX: usize = 1_000;
/// Batches of one producer that are recognised when they come again (Kafka: five).
pub const PRODUCER_WINDOW_BATCHES: usize = 5;
/// Producers remembered per partition; the least recently used goes first.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 10_000;
/// Producers of one shard's partitions that one answer lists; the partitions beyond are refused.
pub const PRODUCERS_DESCRIBED_MAX: usize = 20_000;
/// Expired producers are looked for this often, at most (Kafka: `producer.id.expiration.check.interval.ms`).
pub const PRODUCER_EXPIRY_CHECK_MS: i64 = 600_000;
/// Waiting for the superblock of a directory before "directory in use".
pub const DIRECTORY_LOCK_WAIT_MS: u64 = 5_000;
/// A batch that waits for room in ring or pool gets a definite retriable error after this long.
pub const ADMISSION_WAIT_MS_MAX: u64 = 10_000;
/// One catch-up read from a segment.
pub const COLD_READ_BYTES: usize = 256 * KIB;
/// Memory of a shard for bytes that were read from segments and are in no answer yet: none of the pool of tails and
/// requests. When it is used up nobody reads ahead; a reader has always room for the read that it waits for.
pub const COLD_POOL_BYTES: usize = 8 * MIB;
/// Readers of segments per shard; one more waits.
pub const COLD_READERS_MAX: usize = 8;
/// Reads that one of them begins before it needs them.
pub const COLD_READS_AHEAD: usize = 4;
/// While the shard has written its journal as recently: none ahead, so much at once, between two writes.
pub const COLD_BESIDE_WRITES_MS: u64 = 50;
pub const COLD_READ_BYTES_BESIDE_WRITES: usize = 64 * KIB;
/// Of the memory, for readers that will go on where they stopped.
pub const COLD_KEPT_BYTES_MAX: usize = COLD_POOL_BYTES / 2;
/// Readers of whom is known where they stopped, and for how long.
pub const COLD_STREAMS_MAX: usize = 64;
pub const COLD_KEPT_MS: u64 = 1_000;

/// What a compaction reads at once; a batch that is larger is read whole.
pub const COMPACTION_READ_BYTES: usize = MIB;
/// What it writes at once.
pub const COMPACTION_WRITE_BYTES: usize = 128 * KIB;
/// One direct write, at most; one of a lap, at least, and as many times what the journal writes at once.
pub const WRITE_BYTES_MAX: usize = 1_024 * KIB;
pub const LAP_WRITE_BYTES_MIN: usize = 128 * KIB;
pub const LAP_WRITE_OF_JOURNAL_WRITES: u64 = 8;
/// While the shard writes its journal, work in the background rests for as many times as long as it worked, and not longer.
pub const BACKGROUND_RESTS_BESIDE_WRITES: u32 = 3;
pub const BACKGROUND_REST_MS_MAX: u64 = 50;
/// Damaged batches that a shard puts aside and tells of, in one life.
pub const DAMAGED_CHUNKS_TOLD_MAX: usize = 1_024;
/// Segment files a shard keeps open for reading.
pub const OPEN_SEGMENTS_MAX: usize = 128;

/// Kafka's `socket.request.max.bytes`.
pub const FRAME_BYTES_MAX: usize = 100 * MIB;
/// First allocation for an array, whatever count it claims.
pub const ARRAY_FIRST_ALLOCATION: usize = 1024;
/// Elements of all arrays of one request: 40,000 partitions, four to a topic. An element may be two bytes on the wire and
/// cost 700 before its answer has left (Fetch), so this keeps one request far below 64 MiB.
pub const REQUEST_ELEMENTS_MAX: usize = 50_000;
/// What an element is charged while its request is worked on, or waits for data.
pub const REQUEST_ELEMENT_BYTES: usize = 256;
/// Unknown tagged fields of one struct, and the bytes of one.
pub const TAGGED_FIELDS_MAX: usize = 64;
pub const TAGGED_FIELD_BYTES_MAX: usize = 128 * KIB;
/// Requests of one connection that are not yet answered; beyond it the socket is not read.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 1_024;
/// Connections of one node.
pub const CONNECTIONS_MAX: usize = 65_536;
/// A peer that takes no byte of its answers for this long is closed.
pub const SEND_STALL_MS_MAX: u64 = 30_000;
/// A connection whose request stops in the middle for this long is closed.
pub const HALF_FRAME_MS_MAX: u64 = 30_000;
/// Request bodies of one connection that are being worked on; beyond it the socket is not read.
pub const REQUEST_BYTES_IN_FLIGHT_MAX: usize = 8 * MIB;
/// Answers that one connection has not taken yet; beyond it the socket is not read.
pub const ANSWER_BYTES_IN_FLIGHT_MAX: usize = MIB;
/// How often a shard looks for connections that stopped moving, and, while requests wait for memory, for requests that
/// hold memory without moving.
pub const CONNECTION_SWEEP_MS: u64 = 500;
pub const MEMORY_SWEEP_MS: u64 = 20;
/// Partitions that all fetch sessions of a shard remember; a session beyond is declined.
pub const FETCH_SESSION_PARTITIONS_MAX: usize = 100_000;
/// A fetch session this old may give way to a larger one, one silent for this long to any.
pub const FETCH_SESSION_EVICTABLE_MS: u64 = 120_000;
/// Messages between two shards, each direction; a power of two.
pub const MAILBOX_MESSAGES_MAX: usize = 1_024;
/// Requests between two shards that are not yet answered, per direction: work, fetches that wait for data, metadata.
/// What goes beyond is answered as busy.
pub const SHARD_CALLS_MAX: usize = 16_384;
pub const SHARD_WAITS_MAX: usize = CONNECTIONS_MAX;
pub const SHARD_CONTROL_CALLS_MAX: usize = 4_096;
/// Batches of one shard that wait for room; one more is refused.
pub const PARKED_BATCHES_MAX: usize = 16_384;
/// Proposals that wait for the controller.
pub const PROPOSALS_WAITING_MAX: usize = 4_096;
/// Producer ids a shard takes at once.
pub const PRODUCER_ID_BLOCK: u32 = 1_000;
/// I/O memory of each executor, registered with its rings.
pub const SHARD_IO_MEMORY_BYTES: usize = 16 * MIB;
/// Decompressed size of one batch, absolute and as a multiple of its stored size.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 * MIB;
pub const DECOMPRESSED_RATIO_MAX: usize = 200;
/// What any batch may expand to whatever the ratio: a batch of equal records shrinks a thousandfold, honestly.
pub const DECOMPRESSED_FLOOR_BYTES: usize = 4 * MIB;
/// Largest zstd window (2^23 = 8 MiB, the largest of the ordinary levels).
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Partitions one topic may have.
pub const PARTITIONS_PER_TOPIC_MAX: i32 = 10_000;
/// Partitions one request may create, as in Kafka.
pub const PARTITIONS_CREATED_MAX: i64 = 10_000;
/// Topics of one CreateTopics answer that show their configs; each is ten kilobytes.
pub const TOPICS_DETAILED_MAX: usize = 1_000;
/// Partitions of all topics together; each costs memory on its shard whether it is used or not.
pub const PARTITIONS_MAX: usize = 100_000;
/// Kafka's limit for the name of a topic.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Value of one config; a list of replicas is the longest there is.
pub const CONFIG_VALUE_BYTES_MAX: usize = 32 * KIB;
/// Groups that have configs of their own.
pub const GROUPS_CONFIGURED_MAX: usize = 1_000;
/// Groups of one coordinator, of which there is one per partition of `__consumer_offsets`; a further one is refused.
pub const GROUPS_MAX: usize = 20_000;
/// Partitions, groups or offsets that one turn looks at for operators.
pub const OBSERVED_PER_TURN_MAX: usize = 1_000;
/// Members of one group, and member ids given out that nobody has used yet, whatever `group.max.size` says.
pub const GROUP_MEMBERS_MAX: usize = 10_000;
/// What the members of one group say of themselves, and what their leader assigns; one record holds both.
pub const GROUP_BYTES_MAX: usize = MIB;
/// Memory of all groups and offsets of one coordinator; commits and new groups beyond it are refused. Not of the pool:
/// the 50 coordinators there are by default hold 800 MiB at most, five million offsets.
pub const GROUP_STATE_BYTES_MAX: usize = 16 * MIB;
/// Offsets looked at for expiry in one turn: about a millisecond.
pub const OFFSETS_EXPIRED_PER_TURN: usize = 5_000;
/// Records of one coordinator that wait for the disk; commits beyond it are refused.
pub const GROUP_QUEUED_BYTES_MAX: usize = 4 * MIB;
/// A coordinator's log below this is not written anew, however little of it is live.
pub const GROUP_LOG_BYTES_MIN: usize = MIB;
/// A coordinator's write is done or its disk has failed after this.
pub const GROUP_WRITE_MS_MAX: u64 = 3_600_000;
/// The join of a new member is forgotten after this, unless its group is complete before (Kafka: five minutes).
pub const NEW_MEMBER_JOIN_MS_MAX: i32 = 300_000;
/// Longest stop: after it what is left is cut off.
pub const STOP_MS_MAX: u64 = 30_000;

/// The tool waits this long before it asks again what may be refused only for now.
pub const TOOL_RETRY_PAUSE_MS: u64 = 100;
/// Requests of one connection that the tool leaves unanswered: as many batches of a producer as brokers recognise.
pub const TOOL_REQUESTS_IN_FLIGHT_MAX: usize = PRODUCER_WINDOW_BATCHES;
/// Plain bytes of records from which the tool sends a batch; a larger record has its own.
pub const TOOL_BATCH_BYTES: usize = 256 * KIB;
/// Records that wait longer for company are sent without.
pub const TOOL_LINGER_MS: u64 = 5;
/// One line of input, and how much of it is read at once and ahead.
pub const TOOL_LINE_BYTES_MAX: usize = 64 * MIB;
pub const TOOL_READ_BYTES: usize = 256 * KIB;
pub const TOOL_READS_AHEAD: usize = 4;
/// Record bytes of one fetch, and of each of its partitions.
pub const TOOL_FETCH_BYTES: i32 = 8 << 20;
pub const TOOL_FETCH_PARTITION_BYTES: i32 = 1 << 20;
/// A fetch waits this long for data, which is also how soon a signal is noticed.
pub const TOOL_FETCH_WAIT_MS: i32 = 250;
/// A member of a group that keeps silent for this long is given up; offsets are committed this often.
pub const TOOL_SESSION_MS: i32 = 45_000;
pub const TOOL_REBALANCE_MS: i32 = 60_000;
pub const TOOL_HEARTBEAT_MS: u64 = 3_000;
pub const TOOL_COMMIT_MS: u64 = 5_000;

/// Faults of one partition that `ottla log verify` tells one by one; of more it tells the number.
pub const TOOL_FAULTS_TOLD_MAX: usize = 100;
/// One read of a segment by `ottla log`; a batch that is larger is read whole.
pub const TOOL_SEGMENT_READ_BYTES: usize = MIB;

// Every partition can be described.
const _: () = assert!(PRODUCERS_PER_PARTITION_MAX <= PRODUCERS_DESCRIBED_MAX);
// Every reader has room for one read, whatever is read ahead and kept, and one can read ahead whatever is kept.
const _: () = assert!(
    COLD_KEPT_BYTES_MAX + (COLD_READERS_MAX + COLD_READS_AHEAD) * COLD_READ_BYTES
        <= COLD_POOL_BYTES
);
const _: () = assert!(DECOMPRESSED_FLOOR_BYTES <= DECOMPRESSED_BYTES_MAX);
// The largest topic can be made.
const _: () = assert!(PARTITIONS_PER_TOPIC_MAX as i64 <= PARTITIONS_CREATED_MAX);
// One request fits a session.
const _: () = assert!(REQUEST_ELEMENTS_MAX <= FETCH_SESSION_PARTITIONS_MAX);
// A group's record fits a batch, twice, so that a rewrite beside it does too.
const _: () = assert!(4 * GROUP_BYTES_MAX <= Limits::DEFAULT.batch_bytes_max());
const _: () = assert!(MAILBOX_MESSAGES_MAX.is_power_of_two());
