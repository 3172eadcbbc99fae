//! What the connections of one shard share.

use super::admission::Admission;
use super::budget::Budget;
use super::connections::Connections;
use super::fetch_sessions::FetchSessions;
use super::handlers::produce::Producing;
use super::inbound::READ_BYTES_MAX;
use super::meter::Notes;
use crate::base::recycler::Recycler;
use crate::shard::ShardHandle;
use crate::wire::frame::FrameMemory;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

/// The Kafka plane of one shard. Owned by its core.
pub(super) struct Server {
    pub(super) handle: ShardHandle,
    pub(super) admission: Rc<Admission>,
    /// Records in answers.
    pub(super) answers: Budget,
    /// Answers without records.
    pub(super) replies: Budget,
    /// What requests have become.
    pub(super) decoded: Budget,
    pub(super) connections: Rc<Connections>,
    /// Where reads land before their length is known; used within one call only.
    pub(super) scratch: RefCell<Box<[u8]>>,
    /// What answers are written into.
    pub(super) frames: RefCell<FrameMemory>,
    /// Memory of what every request, and every produce, needs until it is answered.
    pub(super) notes: Recycler<Notes>,
    pub(super) producing: Recycler<Option<Producing>>,
    pub(super) fetch_sessions: RefCell<FetchSessions>,
    /// Topics whose automatic creation this shard has asked for.
    pub(super) creating: RefCell<BTreeSet<String>>,
}

impl Server {
    pub(super) fn new(handle: ShardHandle) -> Rc<Server> {
        let bytes = handle.request_bytes_max();
        Rc::new(Server {
            admission: Admission::new(bytes),
            answers: Budget::new(bytes),
            replies: Budget::new(bytes / 4),
            decoded: Budget::new(bytes / 2),
            connections: Rc::default(),
            scratch: RefCell::new(vec![0; READ_BYTES_MAX].into_boxed_slice()),
            frames: RefCell::default(),
            notes: Recycler::default(),
            producing: Recycler::default(),
            fetch_sessions: RefCell::new(fetch_sessions(&handle)),
            creating: RefCell::default(),
            handle,
        })
    }

    /// Kafka's `socket.request.max.bytes`, and never more than all memory for requests.
    pub(super) fn frame_bytes_max(&self) -> usize {
        let configured = self.handle.image().config.request_bytes_max;
        configured.min(self.handle.request_bytes_max())
    }

    /// Kafka's `connections.max.idle.ms`.
    pub(super) fn idle_max(&self) -> Option<Duration> {
        self.handle.image().config.connection_idle_max
    }

    /// Brings the gauges up to date.
    pub(super) fn observe(&self) {
        let stats = self.handle.stats();
        stats.connections_open.set(self.connections.count() as u64);
        stats.sockets_paused.set(self.admission.waiting() as u64);
        stats.request_bytes_used.set(self.admission.used() as u64);
        stats
            .request_bytes_limit
            .set(self.handle.request_bytes_max() as u64);
        let answers = self.answers.used() + self.replies.used();
        stats.answer_bytes_used.set(answers as u64);
    }
}

fn fetch_sessions(handle: &ShardHandle) -> FetchSessions {
    let slots = handle.image().config.fetch_sessions_max;
    let random = handle.random_uuid().0;
    let seed = *random.first_chunk().expect("a UUID has 16 bytes");
    let seed = u64::from_le_bytes(seed);
    FetchSessions::new(handle.id(), handle.shard_count(), slots, seed)
}
