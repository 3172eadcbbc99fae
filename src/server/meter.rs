//! How long one request took, and how it ended.

use super::errors;
use super::plane::Server;
use crate::base::time::Instant;
use crate::metrics::{Api, ErrorClass, Stage};
use crate::wire::{ApiKey, ErrorCode};
use std::cell::Cell;
use std::rc::Rc;

/// Made when a request is handed over, dropped when its answer has left or nobody wants it any more.
pub(super) struct Meter {
    server: Rc<Server>,
    api: Api,
    received: Instant,
    dispatched: Instant,
    answered: Cell<Instant>,
    /// Of the first part that failed.
    error: Cell<ErrorClass>,
}

impl Meter {
    /// `received`: when its first byte came.
    pub(super) fn start(server: &Rc<Server>, api_key: ApiKey, received: Instant) -> Rc<Meter> {
        let now = server.handle.now().instant;
        let meter = Meter {
            server: server.clone(),
            api: api(api_key),
            received,
            dispatched: now,
            answered: Cell::new(now),
            error: Cell::new(ErrorClass::None),
        };
        meter.record(Stage::Receive, now, received);
        server.handle.stats().requests_in_flight.add(1);
        Rc::new(meter)
    }

    /// A part of the answer carries this code.
    pub(super) fn code(&self, code: ErrorCode) {
        if self.error.get() == ErrorClass::None {
            self.error.set(errors::class(code));
        }
    }

    pub(super) fn answered(&self) {
        let now = self.now();
        self.answered.set(now);
        self.record(Stage::Answer, now, self.dispatched);
        let requests = &self.server.handle.stats().requests;
        requests.at(self.api).at(self.error.get()).increment();
    }

    pub(super) fn sent(&self) {
        let now = self.now();
        self.record(Stage::Send, now, self.answered.get());
        self.record(Stage::Total, now, self.received);
    }

    fn now(&self) -> Instant {
        self.server.handle.now().instant
    }

    fn record(&self, stage: Stage, now: Instant, since: Instant) {
        let seconds = &self.server.handle.stats().request_seconds;
        seconds.at(self.api).at(stage).record(now.since(since));
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
        | ApiKey::ListConfigResources => Api::Admin,
        ApiKey::ApiVersions
        | ApiKey::SaslHandshake
        | ApiKey::SaslAuthenticate
        | ApiKey::OffsetForLeaderEpoch => Api::Other,
    }
}
