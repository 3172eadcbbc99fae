//! The two requests that consumers repeat for as long as they live.

use super::batch::NOW;
use super::stage::{Work, each, work};
use bytes::Bytes;
use ottla::base::ids::{Ticket, Uuid};
use ottla::base::offset::Offset;
use ottla::base::time::{Instant, Now};
use ottla::group::{
    Action, Answer, Assignment, Command, CommitItem, CommitRequest, Coordinator, GroupSettings,
    JoinRequest, MemberRef, Protocol, SyncRequest,
};
use std::hint::black_box;
use std::time::Duration;

const GROUP: &str = "billing";

pub(crate) fn heartbeat() -> Box<dyn Work> {
    let mut consumer = Consumer::joined();
    let who = consumer.who.clone();
    each(Command::Heartbeat(who), move |beat| consumer.ask(beat))
}

/// Of one partition, each in a batch of its own, which is durable at once.
pub(crate) fn offset_commit() -> Box<dyn Work> {
    let consumer = Consumer::joined();
    let commit = CommitRequest {
        who: consumer.who.clone(),
        knows_missing_groups: true,
        retention_ms: None,
        items: vec![CommitItem {
            topic: "orders".into(),
            partition: 0,
            offset: 1_000,
            leader_epoch: 0,
            metadata: String::new(),
        }],
    };
    let commits = super::stage::REQUESTS;
    work(
        (consumer, Vec::new()),
        move |(_, ready): &mut (Consumer, Vec<Command>)| {
            ready.extend((0..commits).map(|_| Command::Commit(commit.clone())));
        },
        |(consumer, ready)| {
            for commit in ready.drain(..) {
                consumer.ask(commit);
            }
        },
    )
}

/// The only member of a stable group, with the coordinator and its log.
struct Consumer {
    coordinator: Coordinator,
    now: Now,
    tickets: u64,
    log_end: Offset,
    who: MemberRef,
}

impl Consumer {
    fn joined() -> Consumer {
        let settings = GroupSettings {
            initial_delay_ms: 0,
            ..GroupSettings::default()
        };
        let mut consumer = Consumer {
            coordinator: Coordinator::new(settings),
            now: Now {
                instant: Instant(1_000_000_000),
                wall: NOW,
            },
            tickets: 0,
            log_end: Offset::ZERO,
            who: MemberRef {
                group: GROUP.into(),
                generation: -1,
                member: String::new(),
                instance: None,
            },
        };
        consumer.coordinator.on_loaded(|_| true, consumer.now);
        let Some(Answer::Join(joined)) = consumer.ask(Command::Join(join())) else {
            panic!("a first member waits for nobody");
        };
        let generation = joined.result.expect("it may join");
        consumer.who.member = joined.member;
        consumer.who.generation = generation.generation;
        let sync = Command::Sync(SyncRequest {
            who: consumer.who.clone(),
            protocol_type: None,
            protocol: None,
            assignments: vec![Assignment {
                member: consumer.who.member.clone(),
                assignment: Bytes::from_static(b"all"),
            }],
        });
        assert!(matches!(consumer.ask(sync), Some(Answer::Sync(Ok(_)))));
        consumer
    }

    /// The answer, once everything has been done for it.
    fn ask(&mut self, command: Command) -> Option<Answer> {
        self.tickets += 1;
        self.now.instant = self.now.instant.plus(Duration::from_micros(1));
        let ticket = Ticket(self.tickets);
        self.coordinator.command(ticket, command, self.now);
        if let Some(due) = self.coordinator.next_deadline()
            && due <= self.now.instant
        {
            self.coordinator.on_deadline(self.now);
        }
        let mut answered = None;
        while let Some(action) = self.coordinator.poll_action() {
            match action {
                Action::Answer { answer, .. } => answered = Some(answer),
                Action::Append { batch } => {
                    black_box(batch);
                    let base = self.log_end;
                    self.log_end = base.next();
                    self.coordinator.on_written(Ok(base), self.now);
                }
                Action::Trim { before } => {
                    black_box(before);
                }
            }
        }
        answered
    }
}

fn join() -> JoinRequest {
    JoinRequest {
        group: GROUP.into(),
        member: String::new(),
        instance: None,
        client_id: "consumer-1".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: 45_000,
        rebalance_timeout_ms: 300_000,
        protocol_type: "consumer".into(),
        protocols: vec![Protocol {
            name: "range".into(),
            metadata: Bytes::from_static(b"\0\x03\0\0\0\x01\0\x06orders"),
        }],
        fresh: Uuid([1; 16]),
        needs_known_id: false,
        knows_skip: true,
    }
}
