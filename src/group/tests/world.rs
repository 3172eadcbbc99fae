//! A coordinator with a log that a test can read, refuse or lose, and a clock that a test moves.

use crate::base::ids::{Ticket, Uuid};
use crate::base::offset::Offset;
use crate::base::time::{Instant, Now, Timestamp};
use crate::group::stats::Counted;
use crate::group::*;
use crate::record::Batches;
use crate::record::batch::BatchHeader;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

pub(super) const GROUP: &str = "group";
pub(super) const SESSION_MS: i32 = 10_000;
pub(super) const REBALANCE_MS: i32 = 60_000;

pub(super) struct World {
    pub(super) coordinator: Coordinator,
    pub(super) settings: GroupSettings,
    now_ms: u64,
    next_ticket: u64,
    answers: BTreeMap<Ticket, Answer>,
    /// Batches given to the log and not yet decided.
    pub(super) under_way: VecDeque<Bytes>,
    /// Durable batches with their base offset.
    pub(super) log: Vec<(Offset, Bytes)>,
    pub(super) log_start: Offset,
    /// Every topic but these exists.
    pub(super) missing_topics: Vec<&'static str>,
    /// Writes end at once, well.
    pub(super) writes_at_once: bool,
}

impl World {
    pub(super) fn new() -> World {
        World::with(GroupSettings::default())
    }

    pub(super) fn with(settings: GroupSettings) -> World {
        let mut world = World {
            coordinator: Coordinator::new(settings),
            settings,
            now_ms: 1_000,
            next_ticket: 1,
            answers: BTreeMap::new(),
            under_way: VecDeque::new(),
            log: Vec::new(),
            log_start: Offset::ZERO,
            missing_topics: Vec::new(),
            writes_at_once: true,
        };
        world.coordinator.on_loaded(|_| true, world.now());
        world
    }

    /// Another coordinator reads what this one wrote.
    pub(super) fn restart(&mut self) {
        self.coordinator = Coordinator::new(self.settings);
        self.under_way.clear();
        let (now, start) = (self.now(), self.log_start);
        for (base, batch) in &self.log {
            let header = BatchHeader::parse(batch).expect("a batch");
            if base.plus(i64::from(header.record_count)) > start {
                // As the partition would have stamped it.
                let mut stamped = batch.to_vec();
                stamped[..8].copy_from_slice(&base.0.to_be_bytes());
                assert_eq!(self.coordinator.replay(&stamped, start, now), 0);
            }
        }
        let missing = &self.missing_topics;
        let exists = |topic: &str| !missing.contains(&topic);
        self.coordinator.on_loaded(exists, now);
        self.drain();
    }

    pub(super) fn now(&self) -> Now {
        Now {
            instant: Instant(self.now_ms * 1_000_000),
            wall: Timestamp(self.now_ms as i64),
        }
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn pass_ms(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while let Some(at) = self.coordinator.next_deadline() {
            let at_ms = at.0.div_ceil(1_000_000);
            if at_ms > end {
                break;
            }
            self.now_ms = self.now_ms.max(at_ms);
            self.coordinator.on_deadline(self.now());
            self.drain();
        }
        self.now_ms = end;
    }

    /// Lets time pass to this deadline, and this one alone be met.
    pub(super) fn pass_to(&mut self, deadline: Instant) {
        self.now_ms = deadline.0.div_ceil(1_000_000);
        self.coordinator.on_deadline(self.now());
        self.drain();
    }

    /// Lets time pass in steps until this is answered.
    pub(super) fn pass_until(&mut self, ticket: Ticket) {
        for _ in 0..1_000 {
            if self.answers.contains_key(&ticket) {
                return;
            }
            self.pass_ms(500);
        }
        panic!("{ticket:?} is never answered");
    }

    pub(super) fn ask(&mut self, command: Command) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.coordinator.command(ticket, command, self.now());
        self.drain();
        ticket
    }

    /// The answer, if there is one.
    pub(super) fn taken(&mut self, ticket: Ticket) -> Option<Answer> {
        self.answers.remove(&ticket)
    }

    pub(super) fn drain(&mut self) {
        while let Some(action) = self.coordinator.poll_action() {
            match action {
                Action::Answer { ticket, answer } => {
                    let before = self.answers.insert(ticket, answer);
                    assert!(before.is_none(), "answered once");
                }
                Action::Trim { before } => self.log_start = before,
                Action::Append { batch } => {
                    self.under_way.push_back(batch);
                    assert_eq!(self.under_way.len(), 1, "one write under way");
                    if self.writes_at_once {
                        self.write_ends(Ok(()));
                    }
                }
            }
        }
        self.assert_counted();
    }

    /// What is kept group by group is what counting them all gives.
    fn assert_counted(&self) {
        if self.coordinator.groups.len() > 100 {
            return; // One of many groups was one of few.
        }
        let counted = self.coordinator.stats();
        let mut anew = GroupStats {
            rebalances: counted.rebalances,
            ..GroupStats::default()
        };
        for group in self.coordinator.groups.values() {
            anew.add(Counted::of(group));
        }
        assert_eq!(counted, anew);
    }

    pub(super) fn write_ends(&mut self, result: Result<(), WriteError>) {
        let batch = self.under_way.pop_front().expect("a write is under way");
        let base = self.log.last().map_or(Offset::ZERO, |(base, batch)| {
            let header = BatchHeader::parse(batch).expect("a batch");
            base.plus(i64::from(header.record_count))
        });
        let result = result.map(|()| {
            self.log.push((base, batch));
            base
        });
        self.coordinator.on_written(result, self.now());
        self.drain();
    }

    /// Bytes that a restart reads.
    pub(super) fn log_bytes(&self) -> usize {
        let live = self.log.iter().filter(|(base, _)| *base >= self.log_start);
        live.map(|(_, batch)| Batches::new(batch).count() * batch.len())
            .sum()
    }

    pub(super) fn join(&mut self, request: JoinRequest) -> Ticket {
        self.ask(Command::Join(request))
    }

    pub(super) fn joined(&mut self, ticket: Ticket) -> Joined {
        match self.taken(ticket) {
            Some(Answer::Join(joined)) => joined,
            other => panic!("not joined: {other:?}"),
        }
    }

    pub(super) fn generation(&mut self, ticket: Ticket) -> (String, Generation) {
        let joined = self.joined(ticket);
        (joined.member, joined.result.expect("a generation"))
    }

    pub(super) fn sync(&mut self, member: &str, generation: i32, parts: &[(&str, &str)]) -> Ticket {
        let assignments = parts.iter().map(|(member, part)| Assignment {
            member: member.to_string(),
            assignment: part.to_string().into(),
        });
        self.ask(Command::Sync(SyncRequest {
            who: who(member, generation),
            protocol_type: None,
            protocol: None,
            assignments: assignments.collect(),
        }))
    }

    pub(super) fn synced(&mut self, ticket: Ticket) -> Result<String, GroupError> {
        match self.taken(ticket) {
            Some(Answer::Sync(result)) => {
                result.map(|synced| String::from_utf8(synced.assignment.to_vec()).expect("text"))
            }
            other => panic!("not synced: {other:?}"),
        }
    }

    pub(super) fn heartbeat(&mut self, member: &str, generation: i32) -> Result<(), GroupError> {
        let ticket = self.ask(Command::Heartbeat(who(member, generation)));
        match self.taken(ticket) {
            Some(Answer::Heartbeat(result)) => result,
            other => panic!("no heartbeat: {other:?}"),
        }
    }

    pub(super) fn leave(&mut self, member: &str, instance: Option<&str>) -> Result<(), GroupError> {
        let ticket = self.ask(Command::Leave(LeaveRequest {
            group: GROUP.into(),
            leavers: vec![Leaver {
                member: member.into(),
                instance: instance.map(str::to_owned),
            }],
        }));
        match self.taken(ticket) {
            Some(Answer::Leave(result)) => result?[0],
            other => panic!("not left: {other:?}"),
        }
    }

    /// As a tool commits.
    pub(super) fn commit(&mut self, partition: i32, offset: i64) -> Ticket {
        self.ask(Command::Commit(commit(
            who("", -1),
            "topic",
            partition,
            offset,
        )))
    }

    pub(super) fn committed(&mut self, ticket: Ticket) -> Result<(), GroupError> {
        match self.taken(ticket) {
            Some(Answer::Commit(result)) => result?[0],
            other => panic!("not committed: {other:?}"),
        }
    }

    /// Partition and offset of everything in the topic.
    pub(super) fn offsets(&mut self) -> Vec<(i32, i64)> {
        let ticket = self.ask(Command::FetchOffsets(FetchOffsets {
            group: GROUP.into(),
            wanted: None,
        }));
        let Some(Answer::FetchOffsets(Ok(found))) = self.taken(ticket) else {
            panic!("no offsets")
        };
        let known = found
            .into_iter()
            .map(|found| (found.partition, found.committed));
        known
            .map(|(partition, found)| (partition, found.expect("listed").offset))
            .collect()
    }

    pub(super) fn describe(&mut self) -> Result<DescribedGroup, GroupError> {
        let ticket = self.ask(Command::Describe(GROUP.into()));
        match self.taken(ticket) {
            Some(Answer::Describe(result)) => result,
            other => panic!("not described: {other:?}"),
        }
    }

    pub(super) fn state(&mut self) -> GroupState {
        self.describe().expect("a group").state
    }

    pub(super) fn delete(&mut self) -> Ticket {
        self.ask(Command::Delete(GROUP.into()))
    }

    pub(super) fn deleted(&mut self, ticket: Ticket) -> Result<(), GroupError> {
        match self.taken(ticket) {
            Some(Answer::Delete(result)) => result,
            other => panic!("not deleted: {other:?}"),
        }
    }

    /// A stable group of these many dynamic members, the leader first; each is assigned its number.
    pub(super) fn stable(&mut self, count: usize) -> Vec<String> {
        let joins: Vec<Ticket> = (0..count).map(|_| self.join(old_join(""))).collect();
        self.pass_until(joins[0]);
        let joined: Vec<_> = joins
            .into_iter()
            .map(|join| self.generation(join))
            .collect();
        self.settle(joined)
    }

    /// Everybody syncs, the leader last.
    pub(super) fn settle(&mut self, joined: Vec<(String, Generation)>) -> Vec<String> {
        let generation = joined[0].1.generation;
        let leader = joined[0].1.leader.clone();
        let mut ids: Vec<String> = joined.into_iter().map(|(id, _)| id).collect();
        ids.sort_by_key(|id| *id != leader);
        let numbers: Vec<String> = (0..ids.len()).map(|number| number.to_string()).collect();
        let parts: Vec<_> = ids
            .iter()
            .map(String::as_str)
            .zip(numbers.iter().map(String::as_str))
            .collect();
        let mut syncs = Vec::new();
        for id in ids.iter().rev() {
            let own = if *id == leader { &parts[..] } else { &[] };
            syncs.push(self.sync(id, generation, own));
        }
        for (sync, number) in syncs.into_iter().rev().zip(&numbers) {
            assert_eq!(self.synced(sync), Ok(number.clone()));
        }
        ids
    }
}

pub(super) fn who(member: &str, generation: i32) -> MemberRef {
    MemberRef {
        group: GROUP.into(),
        generation,
        member: member.into(),
        instance: None,
    }
}

pub(super) fn commit(who: MemberRef, topic: &str, partition: i32, offset: i64) -> CommitRequest {
    CommitRequest {
        who,
        knows_missing_groups: true,
        retention_ms: None,
        items: vec![CommitItem {
            topic: topic.into(),
            partition,
            offset,
            leader_epoch: 3,
            metadata: "note".into(),
        }],
    }
}

/// What consumers send: version 3, topics.
pub(super) fn subscription(topic: &str) -> Bytes {
    let mut bytes = b"\0\x03\0\0\0\x01".to_vec();
    bytes.extend((topic.len() as u16).to_be_bytes());
    bytes.extend(topic.bytes());
    bytes.into()
}

/// A join before version 4: no id is needed first.
pub(super) fn old_join(member: &str) -> JoinRequest {
    use std::sync::atomic::{AtomicU8, Ordering};
    static FRESH: AtomicU8 = AtomicU8::new(1);
    let fresh = FRESH.fetch_add(1, Ordering::Relaxed);
    JoinRequest {
        group: GROUP.into(),
        member: member.into(),
        instance: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".into(),
        protocols: vec![Protocol {
            name: "range".into(),
            metadata: subscription("topic"),
        }],
        fresh: Uuid([fresh; 16]),
        needs_known_id: false,
        knows_skip: true,
    }
}

pub(super) fn new_join(member: &str) -> JoinRequest {
    JoinRequest {
        needs_known_id: true,
        ..old_join(member)
    }
}

pub(super) fn static_join(member: &str, instance: &str) -> JoinRequest {
    JoinRequest {
        instance: Some(instance.into()),
        ..new_join(member)
    }
}

pub(super) fn protocols(names: &[&str]) -> Vec<Protocol> {
    let protocols = names.iter().map(|name| Protocol {
        name: name.to_string(),
        metadata: subscription("topic"),
    });
    protocols.collect()
}
