//! The cross-core vocabulary: one enum of requests, one of responses. What is not in it cannot cross a core.
//!
//! A request travels from the shard of a connection to the shard that owns the partition, or to shard 0 for metadata.
//! The answers to a list stand in the list's order.

use crate::base::epoch::LeaderEpoch;
use crate::base::few::Few;
use crate::base::ids::{PartitionId, ProducerId, Ticket};
use crate::base::offset::Offset;
use crate::base::time::Instant;
use crate::metrics::{LatencySnapshot, Sample, ShardSnapshot};
use crate::record::ValidBatch;
use bytes::Bytes;
use std::sync::Arc;

pub use crate::control::{Command, Image, Outcome};
pub use crate::group;
pub use crate::partition::{
    ActiveProducer, Appended, EpochEnd, FoundOffset, Isolation, OffsetQuery,
};
pub use crate::storage::disk::DiskSpace;

#[derive(Debug)]
pub enum Request {
    /// Answered when every batch is as durable as its topic asks, or refused. Past `deadline` the fate of what is
    /// not yet durable is answered as unknown.
    Produce {
        items: Few<ProduceItem>,
        deadline: Instant,
    },
    /// Reads what is there now; waiting for more is `AwaitData`.
    Fetch {
        parts: Vec<FetchPart>,
        /// Over all parts, in their order.
        bytes_max: usize,
        /// The first part with data gives one whole batch even above its limit.
        at_least_one: bool,
        isolation: Isolation,
    },
    /// One-shot: `DataReady` once the parts together hold `bytes_needed` readable bytes, one of them changed in a
    /// way a reader must see, the deadline passed, or the wait was cancelled.
    AwaitData {
        ticket: Ticket,
        parts: Vec<AwaitPart>,
        isolation: Isolation,
        bytes_needed: usize,
        deadline: Instant,
    },
    /// Ends the `AwaitData` of this ticket, if it still waits.
    Cancel(Ticket),
    ListOffsets {
        queries: Few<OffsetOf>,
        isolation: Isolation,
    },
    EpochEnds(Few<EpochEndOf>),
    /// The idempotent producers that each partition remembers.
    Producers(Few<PartitionId>),
    /// How many bytes each partition's log has.
    LogBytes(Few<PartitionId>),
    /// How large and how full the volume of the data directory is.
    Space,
    DeleteRecords {
        cuts: Few<(PartitionId, CutAt)>,
        deadline: Instant,
    },
    /// To the coordinator of this partition of `__consumer_offsets`.
    Group {
        partition: PartitionId,
        command: Box<group::Command>,
    },
    /// All groups of this shard.
    ListGroups,
    /// One producer id nobody had before.
    ProducerId,
    /// To shard 0. Answered when every shard has applied the outcome.
    Propose(Command),
    /// From shard 0, before so many partitions of this shard are created: is there room for them on the disk?
    RoomFor(usize),
    /// From shard 0.
    Image(Arc<Image>),
    /// To shard 0: the files of this partition of a deleted topic are gone.
    Removed(PartitionId),
    /// From the admin plane, to the shard it asks.
    Observe(Observation),
}

#[derive(Debug)]
pub enum Response {
    Produce(Few<Result<Appended, ProduceError>>),
    Fetch(Vec<Result<Fetched, ReadError>>),
    DataReady,
    /// To `Cancel`, `Image` and `Removed`.
    Done,
    ListOffsets(Few<Result<FoundOffset, ReadError>>),
    EpochEnds(Few<Result<EpochEnd, ReadError>>),
    Producers(Few<Result<Vec<ActiveProducer>, ProducersError>>),
    LogBytes(Few<Result<u64, ReadError>>),
    /// None: the disk does not say.
    Space(Option<DiskSpace>),
    DeleteRecords(Few<Result<Offset, DeleteRecordsError>>),
    Group(Box<group::Answer>),
    ListGroups(Result<Vec<group::ListedGroup>, group::GroupError>),
    ProducerId(Result<ProducerId, ProposeError>),
    Propose(Result<Outcome, ProposeError>),
    RoomFor(bool),
    Observed(Observed),
    /// Nothing was done: too many requests are between these two shards.
    Busy,
    /// Nothing was done, or the answer was lost: the other shard is stopping.
    Stopping,
}

#[derive(Debug)]
pub struct ProduceItem {
    pub partition: PartitionId,
    pub batch: ValidBatch,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProduceError {
    /// Not appended: this broker has no such partition (any more).
    UnknownPartition,
    /// Not appended: no room in journal, memory or disk within the bounded wait.
    NoRoom,
    /// Not appended: the data directory or this partition has failed.
    Offline,
    /// Not appended: the producer's sequence has a gap.
    OutOfOrderSequence,
    /// Not appended: a newer session of this producer exists.
    InvalidProducerEpoch,
    /// Not appended: the broker stops.
    Stopping,
    /// Appended, but the deadline passed or the disk failed before it was known to be durable.
    FateUnknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchPart {
    pub partition: PartitionId,
    pub from: Offset,
    /// The reader's idea of the leader epoch, or `LeaderEpoch::NONE`.
    pub leader_epoch: LeaderEpoch,
    pub bytes_max: usize,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fetched {
    pub high_watermark: Offset,
    pub last_stable: Offset,
    pub log_start: Offset,
    /// Whole batches, back to back over the pieces. Shared memory, not a copy.
    pub pieces: Vec<Bytes>,
    pub bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadError {
    UnknownPartition,
    OffsetOutOfRange {
        log_start: Offset,
        high_watermark: Offset,
    },
    /// The reader knows an older epoch than this leader.
    FencedLeaderEpoch,
    /// The reader knows a newer epoch than this leader.
    UnknownLeaderEpoch,
    /// The data directory or this partition has failed, or these bytes are damaged.
    Offline,
    Stopping,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProducersError {
    Unread(ReadError),
    /// The partitions before this one have as many as an answer may list.
    TooMany,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AwaitPart {
    pub partition: PartitionId,
    pub from: Offset,
    /// As the fetch before this wait saw it: a change since then ends the wait at once.
    pub seen_high_watermark: Offset,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetOf {
    pub partition: PartitionId,
    pub query: OffsetQuery,
    /// The reader's idea of the leader epoch, or `LeaderEpoch::NONE`.
    pub leader_epoch: LeaderEpoch,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEndOf {
    pub partition: PartitionId,
    /// The reader's idea of the leader epoch, or `LeaderEpoch::NONE`.
    pub current: LeaderEpoch,
    pub wanted: LeaderEpoch,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CutAt {
    HighWatermark,
    Offset(Offset),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteRecordsError {
    UnknownPartition,
    OffsetOutOfRange,
    Offline,
    Stopping,
    /// Noted, but not known to be durable.
    FateUnknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProposeError {
    /// Not proposed: too many proposals wait.
    Busy,
    /// Not proposed: the metadata log has failed or the broker stops.
    Unavailable,
    /// Not carried out: the disk is full.
    NoRoom,
    /// Proposed, but not known to be durable.
    FateUnknown,
}

/// High watermarks of all partitions of the node, sorted.
pub type Ends = Arc<Vec<(PartitionId, Offset)>>;

#[derive(Clone, Debug)]
pub enum Observation {
    Snapshot,
    /// Full histograms of what this shard times.
    Latencies,
    /// High watermarks of this shard's partitions, sorted.
    Ends,
    /// Of the groups of this shard.
    Lag(Ends),
    /// Series by topic, partition and group, at most so many.
    Detail {
        ends: Ends,
        series_max: usize,
    },
}

#[derive(Debug)]
pub enum Observed {
    Snapshot {
        snapshot: Box<ShardSnapshot>,
        /// The data directory has failed on this shard: nothing is written any more.
        is_failed: bool,
    },
    Latencies(Vec<LatencySnapshot>),
    Ends(Vec<(PartitionId, Offset)>),
    Lag(GroupsLag),
    Detail(DetailSeries),
}

/// Records behind committed offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GroupsLag {
    pub records: u64,
    /// The most of one group in one partition.
    pub records_max: u64,
}

#[derive(Debug)]
pub struct DetailSeries {
    pub samples: Vec<Sample>,
    pub series_max: usize,
    /// Beyond it.
    pub dropped: u64,
}
