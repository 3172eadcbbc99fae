//! Incremental fetch sessions (KIP-227): a client that fetches the same partitions again and again names what changed,
//! and is told what changed. Pure.
//!
//! The sessions of one shard, owned by its core. A shard knows only the ids it gave, so a client whose next connection
//! lands on another shard hears that its session is unknown and begins a new one, as after a restart. When there are too
//! many, Kafka's rules say who goes: whoever was silent for two minutes, else the smallest of those that have lived as
//! long, if the new session is larger.

mod session;
#[cfg(test)]
mod tests;

use crate::base::ids::ShardId;
use crate::base::limits::{FETCH_SESSION_EVICTABLE_MS, FETCH_SESSION_PARTITIONS_MAX};
use crate::base::prng::Prng;
use crate::base::time::Instant;
use crate::wire::fetch::{FetchRequest, FetchableTopicResponse};
use session::{Candidate, Session};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

/// Requests before have no session.
const SESSIONS_FROM: i16 = 7;
const TOPIC_IDS_FROM: i16 = 13;
/// "No session" in requests and answers.
pub(super) const NO_SESSION: i32 = 0;
/// A new session, after the end of the one that is named.
const EPOCH_INITIAL: i32 = 0;
/// No session, after the end of the one that is named.
const EPOCH_FINAL: i32 = -1;

const EVICTABLE_AFTER: Duration = Duration::from_millis(FETCH_SESSION_EVICTABLE_MS);

/// Why a fetch is not served. The client forgets its session and asks for everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SessionError {
    /// Evicted, or another shard's, or of the life before.
    NotFound,
    /// A request came twice, or not in order.
    Epoch,
    /// The session names topics the other way, by name or by id.
    TopicIds,
}

/// How one fetch is answered.
#[derive(Debug)]
pub(super) enum FetchContext {
    /// Everything that was asked for.
    Sessionless,
    /// Everything; what was asked for may become a session.
    Full(Candidate),
    /// What has changed in this session, if it still is at this epoch.
    Incremental { id: i32, epoch: i32 },
}

pub(super) struct FetchSessions {
    sessions: BTreeMap<i32, Session>,
    /// The longest silent first.
    by_use: BTreeSet<(Instant, i32)>,
    /// By partitions, those that a larger one may replace.
    evictable: BTreeSet<(usize, i32)>,
    /// Of all sessions.
    partitions: usize,
    sessions_max: usize,
    ids: Range<i32>,
    prng: Prng,
}

impl FetchSessions {
    /// `slots`: of all shards together.
    pub(super) fn new(shard: ShardId, shards: u16, slots: usize, seed: u64) -> FetchSessions {
        let width = i32::MAX / i32::from(shards);
        let first = i32::from(shard.0) * width;
        FetchSessions {
            sessions: BTreeMap::new(),
            by_use: BTreeSet::new(),
            evictable: BTreeSet::new(),
            partitions: 0,
            sessions_max: slots.div_ceil(usize::from(shards)),
            ids: first.max(NO_SESSION + 1)..first + width,
            prng: Prng::new(seed),
        }
    }

    /// Takes what the request says of its session. Afterwards it names everything that must be read.
    pub(super) fn begin(
        &mut self,
        request: &mut FetchRequest,
        version: i16,
        now: Instant,
    ) -> Result<FetchContext, SessionError> {
        let is_replica = request.replica_id.max(request.replica_state.replica_id) >= 0;
        if version < SESSIONS_FROM || is_replica {
            return Ok(FetchContext::Sessionless);
        }
        let by_id = version >= TOPIC_IDS_FROM;
        match request.session_epoch {
            EPOCH_FINAL => {
                self.remove(request.session_id);
                Ok(FetchContext::Sessionless)
            }
            EPOCH_INITIAL => {
                self.remove(request.session_id);
                let candidate = Candidate::new(by_id, &request.topics);
                Ok(FetchContext::Full(candidate))
            }
            _ => self.continue_session(request, by_id, now),
        }
    }

    fn continue_session(
        &mut self,
        request: &mut FetchRequest,
        by_id: bool,
        now: Instant,
    ) -> Result<FetchContext, SessionError> {
        let id = request.session_id;
        let session = self.sessions.get(&id).ok_or(SessionError::NotFound)?;
        if session.epoch() != request.session_epoch {
            return Err(SessionError::Epoch);
        }
        if session.by_id() != by_id {
            return Err(SessionError::TopicIds);
        }
        let mut session = self.remove(id).expect("just found");
        session.update(&request.topics, &request.forgotten_topics_data);
        if session.len() == 0 {
            // Over; what the request names is answered once more.
            return Ok(FetchContext::Sessionless);
        }
        if self.partitions + session.len() > FETCH_SESSION_PARTITIONS_MAX {
            return Err(SessionError::NotFound);
        }
        session.advance(now);
        let epoch = session.epoch();
        request.topics = session.topics();
        self.insert(id, session, now);
        Ok(FetchContext::Incremental { id, epoch })
    }

    /// Leaves of a full answer what the client has to hear. Returns the session it shall go on with, 0 for none.
    pub(super) fn finish(
        &mut self,
        context: FetchContext,
        responses: &mut Vec<FetchableTopicResponse>,
        now: Instant,
    ) -> Result<i32, SessionError> {
        match context {
            FetchContext::Sessionless => Ok(NO_SESSION),
            FetchContext::Full(candidate) => Ok(self.create(candidate, responses, now)),
            FetchContext::Incremental { id, epoch } => {
                let session = self.sessions.get_mut(&id).ok_or(SessionError::NotFound)?;
                if session.epoch() != epoch {
                    return Err(SessionError::Epoch);
                }
                session.keep_changed(responses);
                Ok(id)
            }
        }
    }

    fn create(
        &mut self,
        candidate: Candidate,
        responses: &[FetchableTopicResponse],
        now: Instant,
    ) -> i32 {
        if !self.make_room(candidate.len(), now) {
            return NO_SESSION;
        }
        let mut session = candidate.into_session(now);
        session.note(responses);
        let id = self.new_id();
        self.insert(id, session, now);
        id
    }

    /// Whether a session of so many partitions fits, after another has gone if need be.
    fn make_room(&mut self, len: usize, now: Instant) -> bool {
        let fits = |partitions: usize| partitions + len <= FETCH_SESSION_PARTITIONS_MAX;
        while self.sessions.len() >= self.sessions_max || !fits(self.partitions) {
            let Some(id) = self.replaceable(len, now) else {
                return false;
            };
            self.remove(id);
        }
        true
    }

    fn replaceable(&self, len: usize, now: Instant) -> Option<i32> {
        let &(used, silent) = self.by_use.first()?;
        if now.since(used) > EVICTABLE_AFTER {
            return Some(silent);
        }
        let &(smallest, id) = self.evictable.first()?;
        (smallest < len).then_some(id)
    }

    fn new_id(&mut self) -> i32 {
        let width = u64::from(self.ids.end.abs_diff(self.ids.start));
        assert!(
            (self.sessions.len() as u64) < width,
            "there are more ids than sessions"
        );
        loop {
            let above = i32::try_from(self.prng.below(width)).expect("within the range of ids");
            let id = self.ids.start + above;
            if !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    fn insert(&mut self, id: i32, session: Session, now: Instant) {
        self.by_use.insert((session.last_used(), id));
        if now.since(session.created()) > EVICTABLE_AFTER {
            self.evictable.insert((session.len(), id));
        }
        self.partitions += session.len();
        let before = self.sessions.insert(id, session);
        assert!(before.is_none(), "an id belongs to one session");
    }

    fn remove(&mut self, id: i32) -> Option<Session> {
        let session = self.sessions.remove(&id)?;
        self.by_use.remove(&(session.last_used(), id));
        self.evictable.remove(&(session.len(), id));
        self.partitions -= session.len();
        Some(session)
    }
}
