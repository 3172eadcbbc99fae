//! How long one request took, and how it ended.

use super::errors;
use super::plane::Server;
use crate::base::recycler::Recycled;
use crate::base::time::Instant;
use crate::metrics::{Api, ErrorClass, Stage};
use crate::wire::{ApiKey, ErrorCode};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Made when a request is handed over, dropped when its answer has left or nobody wants it any more.
pub(super) struct Meter {
    server: Rc<Server>,
    api: Api,
    received: Instant,
    dispatched: Instant,
    answered: Instant,
    notes: Recycled<Notes>,
}

/// What a handler tells about a request.
#[derive(Default)]
pub(super) struct Notes {
    /// Of a produce, when its last batch was in the log, and when the last one was committed.
    committed: Cell<Option<(Instant, Instant)>>,
    /// Of a fetch.
    waited: Cell<Duration>,
    /// Of the first part that failed.
    error: Cell<ErrorClass>,
}

impl Notes {
    /// A part of the answer carries this code.
    pub(super) fn code(&self, code: ErrorCode) {
        if self.error.get() == ErrorClass::None {
            self.error.set(errors::class(code));
        }
    }

    /// A batch of this request was in the log, and then committed.
    pub(super) fn committed(&self, appended_at: Instant, committed_at: Instant) {
        let (appended, committed) = self.committed.get().unwrap_or_default();
        let latest = (appended.max(appended_at), committed.max(committed_at));
        self.committed.set(Some(latest));
    }

    pub(super) fn waited(&self, wait: Duration) {
        self.waited.set(self.waited.get() + wait);
    }
}

impl Meter {
    /// `received`: when its first byte came.
    pub(super) fn start(server: &Rc<Server>, api_key: ApiKey, received: Instant) -> Meter {
        let now = server.handle.instant();
        let meter = Meter {
            server: server.clone(),
            api: api(api_key),
            received,
            dispatched: now,
            answered: now,
            notes: server.notes.take(Notes::default()),
        };
        meter.record(Stage::Receive, now.since(received));
        server.handle.stats().requests_in_flight.add(1);
        meter
    }

    /// For whoever makes the answer.
    pub(super) fn notes(&self) -> Recycled<Notes> {
        self.notes.clone()
    }

    pub(super) fn answered(&mut self) {
        let now = self.server.handle.instant();
        self.answered = now;
        let mut since = self.dispatched;
        if let Some((appended, committed)) = self.notes.committed.get() {
            // Among several batches one may be durable before another is in the log.
            let committed = committed.max(appended);
            self.record(Stage::Append, appended.since(since));
            self.record(Stage::Durable, committed.since(appended));
            since = committed;
        }
        let waited = self.notes.waited.get();
        if !waited.is_zero() {
            self.record(Stage::Wait, waited);
        }
        self.record(Stage::Answer, now.since(since).saturating_sub(waited));
        let requests = &self.server.handle.stats().requests;
        let error = self.notes.error.get();
        requests.at(self.api).at(error).increment();
    }

    pub(super) fn sent(&self) {
        let now = self.server.handle.instant();
        self.record(Stage::Send, now.since(self.answered));
        self.record(Stage::Total, now.since(self.received));
    }

    fn record(&self, stage: Stage, took: Duration) {
        let seconds = &self.server.handle.stats().request_seconds;
        seconds.at(self.api).at(stage).record(took);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.server.handle.stats().requests_in_flight.subtract(1);
    }
}

fn api(api_key: ApiKey) -> Api {
    match api_key {
        ApiKey::Produce => Api::Produce,
        ApiKey::Fetch => Api::Fetch,
        ApiKey::ListOffsets => Api::ListOffsets,
        ApiKey::Metadata => Api::Metadata,
        ApiKey::OffsetCommit | ApiKey::OffsetFetch | ApiKey::OffsetDelete => Api::Commit,
        ApiKey::FindCoordinator
        | ApiKey::JoinGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::SyncGroup
        | ApiKey::DescribeGroups
        | ApiKey::ListGroups
        | ApiKey::DeleteGroups => Api::Group,
        ApiKey::InitProducerId => Api::Transaction,
        ApiKey::CreateTopics
        | ApiKey::DeleteTopics
        | ApiKey::DeleteRecords
        | ApiKey::DescribeConfigs
        | ApiKey::AlterConfigs
        | ApiKey::CreatePartitions
        | ApiKey::IncrementalAlterConfigs
        | ApiKey::DescribeCluster
        | ApiKey::DescribeLogDirs
        | ApiKey::DescribeProducers
        | ApiKey::DescribeTopicPartitions
        | ApiKey::ElectLeaders
        | ApiKey::DescribeQuorum
        | ApiKey::ListConfigResources => Api::Admin,
        ApiKey::ApiVersions
        | ApiKey::SaslHandshake
        | ApiKey::SaslAuthenticate
        | ApiKey::OffsetForLeaderEpoch => Api::Other,
    }
}
