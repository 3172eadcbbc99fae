//! A group of the classic protocol: its members choose a leader's assignment, generation after generation.
//!
//! ```text
//!            first member                  all have joined, or time is up          leader's assignment is durable
//!   Empty  ----------------> PreparingRebalance --------------------> CompletingRebalance -----------------> Stable
//!     ^  ^                     |  ^      ^  member joins, leaves, dies, does not sync  |                        |
//!     |  +---- nobody left ----+  |      +--------------------------------------------+                        |
//!     |                           +------------------- member joins, leaves, dies -----------------------------+
//!     +-- Dead: deleted or expired, until its tombstones are durable
//! ```

use super::action::{GroupId, Protocol};
use super::member::Member;
use super::offsets::Offsets;
use super::state_records::GroupValue;
use super::subscription::{self, CONSUMER};
use crate::base::time::{Instant, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupState {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
    /// Its tombstones are under way.
    Dead,
}

impl GroupState {
    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Dead => "Dead",
        }
    }
}

/// When the phase of joining ends whoever is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum JoinTimer {
    /// The first members of an empty group wait for more, in steps, while more come.
    Initial {
        at: Instant,
        delay_ms: u64,
        left_ms: u64,
    },
    Rebalance {
        at: Instant,
    },
}

impl JoinTimer {
    pub(super) fn at(self) -> Instant {
        match self {
            JoinTimer::Initial { at, .. } | JoinTimer::Rebalance { at } => at,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) state: GroupState,
    /// The state before this one; a rebalance that began in `Empty` waits for more members.
    pub(super) previous: GroupState,
    /// `NONE`: an old record did not say.
    pub(super) state_since: Timestamp,
    pub(super) generation: i32,
    /// None: offsets were committed, nobody ever joined.
    pub(super) protocol_type: Option<String>,
    /// Chosen for this generation.
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Member ids of static members.
    pub(super) instances: BTreeMap<String, String>,
    /// Ids given out, whose owners have not joined with them yet.
    pub(super) expected: BTreeMap<String, Instant>,
    /// Members of this generation that have not asked for their assignment.
    pub(super) unsynced: BTreeSet<String>,
    /// Somebody came during the initial wait.
    pub(super) has_grown: bool,
    pub(super) join_timer: Option<JoinTimer>,
    pub(super) sync_timer: Option<Instant>,
    /// None: not known, because the members do not speak the consumers' protocol.
    pub(super) subscribed: Option<BTreeSet<String>>,
    pub(super) offsets: Offsets,
    /// As the log has it.
    pub(super) recorded: Option<Arc<GroupValue>>,
    /// What the members cost.
    pub(super) member_bytes: usize,
    /// When its deadlines are looked at next, at the latest when the first is due.
    pub(super) alarm: Option<Instant>,
}

/// Memory of a group without members and offsets, roughly.
const GROUP_BYTES: usize = 512;

impl Group {
    pub(super) fn new(id: GroupId, now: Timestamp) -> Group {
        Group {
            id,
            state: GroupState::Empty,
            previous: GroupState::Empty,
            state_since: now,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            expected: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            has_grown: false,
            join_timer: None,
            sync_timer: None,
            subscribed: None,
            offsets: Offsets::default(),
            recorded: None,
            member_bytes: 0,
            alarm: None,
        }
    }

    pub(super) fn transition(&mut self, state: GroupState, now: Timestamp) {
        use GroupState::{CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};
        let allowed = match state {
            PreparingRebalance => matches!(self.state, Empty | CompletingRebalance | Stable),
            CompletingRebalance => self.state == PreparingRebalance,
            Stable => self.state == CompletingRebalance,
            Empty => matches!(self.state, PreparingRebalance | Dead),
            Dead => self.state == Empty,
        };
        assert!(allowed, "from {:?} to {state:?}", self.state);
        self.previous = self.state;
        self.state = state;
        self.state_since = now;
    }

    /// Its alarm goes off at `at`, or before.
    pub(super) fn arm(&mut self, at: Instant) {
        self.alarm = Some(self.alarm.map_or(at, |alarm| alarm.min(at)));
    }

    pub(super) fn bytes(&self) -> usize {
        GROUP_BYTES + self.id.len() + self.member_bytes + self.offsets.bytes()
    }

    pub(super) fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    pub(super) fn joining_count(&self) -> usize {
        let members = self.members.values();
        members.filter(|member| member.joining.is_some()).count()
    }

    pub(super) fn have_all_joined(&self) -> bool {
        self.expected.is_empty() && self.members.values().all(|member| member.joining.is_some())
    }

    /// The longest any member wants to be waited for.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        let timeouts = self
            .members
            .values()
            .map(|member| member.rebalance_timeout_ms);
        timeouts.max().unwrap_or(0).max(0)
    }

    /// Whether a member with these protocols could take part in a generation with the others.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols
                .iter()
                .any(|offered| self.is_known_to_all(&offered.name))
    }

    fn is_known_to_all(&self, protocol: &str) -> bool {
        self.members
            .values()
            .all(|member| member.supports(protocol))
    }

    /// The protocol most members prefer among those that all know; of equal ones the first by name.
    pub(super) fn select_protocol(&self) -> String {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut choices = member.protocols.iter().map(|known| known.name.as_str());
            let choice = choices.find(|name| self.is_known_to_all(name));
            *votes
                .entry(choice.expect("members share a protocol"))
                .or_default() += 1;
        }
        let most = votes
            .values()
            .max()
            .copied()
            .expect("a group with members votes");
        let (winner, _) = votes
            .into_iter()
            .find(|(_, count)| *count == most)
            .expect("just counted");
        winner.to_owned()
    }

    pub(super) fn add(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        assert_eq!(
            self.protocol_type.as_deref(),
            Some(protocol_type),
            "one type per group"
        );
        if let Some(instance) = &member.instance {
            let before = self.instances.insert(instance.clone(), member.id.clone());
            assert_eq!(before, None, "an instance has one member");
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.expected.remove(&member.id);
        self.member_bytes += member.bytes();
        let before = self.members.insert(member.id.clone(), member);
        assert!(before.is_none(), "a member is added once");
    }

    /// Forgets a member or an id given out; what is parked for it has been answered.
    pub(super) fn remove(&mut self, id: &str) {
        self.expected.remove(id);
        self.unsynced.remove(id);
        let Some(member) = self.members.remove(id) else {
            return;
        };
        assert!(
            member.joining.is_none() && member.syncing.is_none(),
            "answered before"
        );
        self.member_bytes -= member.bytes();
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// A leader that did not come back is replaced by a member that did. False: nobody came.
    pub(super) fn elect_joined_leader(&mut self) -> bool {
        let joined = |member: &Member| member.joining.is_some();
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        match leader {
            None => false,
            Some(leader) if joined(leader) => true,
            Some(_) => match self.members.values().find(|member| joined(member)) {
                None => false,
                Some(member) => {
                    self.leader = Some(member.id.clone());
                    true
                }
            },
        }
    }

    /// Of all members, in the protocol of this generation.
    pub(super) fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.speaks_consumer() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let mut all = BTreeSet::new();
        for member in self.members.values() {
            all.append(&mut subscription::topics(&member.metadata(protocol))?);
        }
        Some(all)
    }

    pub(super) fn speaks_consumer(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Consumers that do not say what they subscribe to may subscribe to anything.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.speaks_consumer(),
        }
    }

    /// As the log will have it, with what each member is to be assigned.
    pub(super) fn to_value(&self, assignment: impl Fn(&Member) -> bytes::Bytes) -> Arc<GroupValue> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.values();
        Arc::new(GroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_since: self.state_since,
            members: members
                .map(|member| member.to_value(protocol, assignment(member)))
                .collect(),
        })
    }
}
