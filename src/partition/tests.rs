//! Stories of one partition. What happens is told in a few words, and the whole list of actions is compared.

mod append_stories;
mod end_stories;
mod log_start_stories;
mod model;
mod read_stories;

use super::*;
use crate::base::epoch::{LeaderEpoch, ProducerEpoch};
use crate::base::ids::{ProducerId, Ticket};
use crate::base::offset::Offset;
use crate::base::time::{Instant, Now, Timestamp};
use crate::log::Note;
use crate::record::{
    BatchBuilder, BatchRules, Codec, NewRecord, TimestampKind, TimestampRules, ValidBatch,
    crc_matches, validate,
};

const EPOCH: LeaderEpoch = LeaderEpoch(5);
const DAY_MS: i64 = 86_400_000;
/// Wall time when monotonic time is 0.
const WALL: i64 = 1_700_000_000_000;

const FLUSHED: PartitionSettings = PartitionSettings {
    durability: Durability::Flushed,
    timestamps: TimestampKind::CreateTime,
    producer_expiration_ms: DAY_MS,
};
const MEMORY: PartitionSettings = PartitionSettings {
    durability: Durability::Memory,
    ..FLUSHED
};
const STAMPED: PartitionSettings = PartitionSettings {
    timestamps: TimestampKind::LogAppendTime,
    ..FLUSHED
};

/// `ms` after the start.
fn at(ms: u64) -> Now {
    Now {
        instant: Instant(ms * 1_000_000),
        wall: Timestamp(WALL + ms as i64),
    }
}

/// Ticket `ticket`, patient for a second.
fn caller(ticket: u64) -> Caller {
    patient(ticket, 1_000)
}

fn patient(ticket: u64, deadline_ms: u64) -> Caller {
    Caller {
        ticket: Ticket(ticket),
        deadline: at(deadline_ms).instant,
    }
}

fn build(builder: BatchBuilder, count: i32) -> ValidBatch {
    let mut builder = builder;
    for index in 0..count {
        let time = Timestamp(WALL - 1_000 + i64::from(index));
        builder.push(&NewRecord::value(time, b"value"));
    }
    let rules = BatchRules {
        batch_bytes_max: 1 << 20,
        zstd_allowed: true,
        timestamps: TimestampRules {
            kind: TimestampKind::CreateTime,
            before_max_ms: i64::MAX,
            after_max_ms: i64::MAX,
        },
        keys_required: false,
        now: Timestamp(WALL),
    };
    validate(builder.build(), &rules).expect("an honest batch")
}

/// A batch without producer id.
fn plain(count: i32) -> ValidBatch {
    build(BatchBuilder::new(Codec::None), count)
}

/// A batch of an idempotent producer.
fn from_producer(id: i64, epoch: i16, sequence: i32, count: i32) -> ValidBatch {
    let builder = BatchBuilder::new(Codec::None);
    build(
        builder.producer(ProducerId(id), ProducerEpoch(epoch), sequence),
        count,
    )
}

/// A new, empty partition.
fn empty(settings: PartitionSettings) -> Partition {
    Partition::new(PartitionState::default(), settings, EPOCH, at(0))
}

/// A partition with durable records `0..count`, whose answers have been given.
fn filled(settings: PartitionSettings, count: i32) -> Partition {
    let mut partition = empty(settings);
    partition.append(&plain(count), caller(0), at(0)).unwrap();
    partition.on_durable(Offset(i64::from(count)), at(0));
    actions(&mut partition);
    partition
}

/// Started again on the same log, all of which is durable.
fn restarted(partition: &Partition, settings: PartitionSettings, epoch: i32) -> Partition {
    let state = PartitionState {
        log_start: partition.watermarks().log_start(),
        next_offset: partition.watermarks().log_end(),
        epochs: partition.epochs().clone(),
        producers: partition.producers().clone(),
        offline: None,
    };
    Partition::new(state, settings, LeaderEpoch(epoch), at(0))
}

fn want(from: i64, leader_epoch: i32) -> ReadRequest {
    ReadRequest {
        from: Offset(from),
        isolation: Isolation::ReadUncommitted,
        leader_epoch: LeaderEpoch(leader_epoch),
    }
}

const NOTHING: &[&str] = &[];

/// Drains the actions into one line each.
fn actions(partition: &mut Partition) -> Vec<String> {
    std::iter::from_fn(|| partition.poll_action())
        .map(|action| tell(&action))
        .collect()
}

fn tell(action: &Action) -> String {
    match action {
        Action::Append { batch, .. } => {
            let bytes = [&batch.head[..], &batch.body].concat();
            assert!(crc_matches(&bytes), "what is appended has a right checksum");
            let header = &batch.header;
            let (base, next) = (header.base_offset, header.next_offset());
            let time = match header.attributes.timestamp_kind() {
                TimestampKind::CreateTime => String::new(),
                TimestampKind::LogAppendTime => format!(" +{}ms", header.max_timestamp.0 - WALL),
            };
            format!(
                "append {base}..{next} in epoch {}{time}",
                header.leader_epoch
            )
        }
        Action::Note(Note::EpochStart { epoch, offset }) => {
            format!("epoch {epoch} starts at {offset}")
        }
        Action::Note(Note::LogStart(offset)) => format!("log starts at {offset}"),
        Action::Note(note) => panic!("a single replica never notes {note:?}"),
        Action::Complete { ticket, outcome } => format!("{ticket}: {}", tell_outcome(outcome)),
    }
}

fn tell_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Appended(appended) => {
            let (base, start) = (appended.base_offset, appended.log_start);
            match appended.log_append_time {
                Timestamp::NONE => format!("appended at {base}, log from {start}"),
                time => format!("appended at {base} +{}ms, log from {start}", time.0 - WALL),
            }
        }
        Outcome::RecordsDeleted { log_start } => format!("deleted up to {log_start}"),
        Outcome::DataReady => "read again".to_string(),
        Outcome::Unknown(cause) => format!("unknown: {cause:?}"),
    }
}

/// log start, last stable, high watermark, durable, log end
fn marks(partition: &Partition) -> [i64; 5] {
    let marks = partition.watermarks();
    [
        marks.log_start().0,
        marks.last_stable().0,
        marks.high_watermark().0,
        marks.durable().0,
        marks.log_end().0,
    ]
}
