//! What the planes hold of a shard: everything a connection may do, and nothing of the runtime.

use super::core::Core;
use super::deadlines::Sleep;
use super::entropy;
use super::request::{Image, Request};
use super::routing;
use super::tickets::Answer;
use crate::base::ids::{PartitionId, ShardId, Ticket, Uuid};
use crate::base::time::{Instant, Now};
use crate::config::Settings;
use crate::metrics::PlaneCells;
use crate::storage::runtime::{Runtime, TaskClass};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

/// One shard as its own core sees it. A clone is the same shard.
#[derive(Clone)]
pub struct ShardHandle(pub(super) Rc<Core>);

impl ShardHandle {
    pub fn id(&self) -> ShardId {
        self.0.id
    }

    pub fn shard_count(&self) -> u16 {
        self.0.shards
    }

    /// Cluster metadata as this shard has applied it.
    pub fn image(&self) -> Arc<Image> {
        self.0.image.borrow().clone()
    }

    pub fn settings(&self) -> &Arc<Settings> {
        &self.0.settings
    }

    pub fn now(&self) -> Now {
        self.0.runtime.now()
    }

    /// Monotonic time alone.
    pub fn instant(&self) -> Instant {
        self.0.runtime.clock().instant()
    }

    /// The shard that owns this partition, whether or not it exists.
    pub fn owner(&self, partition: PartitionId) -> ShardId {
        routing::owner(partition, self.0.shards)
    }

    /// Dispatches in call order: requests to one shard are served in the order of these calls.
    pub fn send(&self, to: ShardId, request: Request) -> Answer {
        self.0.send(to, request)
    }

    /// Unique in this process.
    pub fn next_ticket(&self) -> Ticket {
        self.0.tickets.next()
    }

    /// Memory of this shard for request bodies.
    pub fn request_bytes_max(&self) -> usize {
        self.0.settings.limits.request_bytes_max()
    }

    pub fn random_uuid(&self) -> Uuid {
        entropy::random_uuid()
    }

    pub fn sleep_until(&self, at: Instant) -> Sleep {
        self.0.runtime.deadlines().sleep_until(at)
    }

    /// Starts a task beside this one; it runs to its end.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.runtime.spawn(TaskClass::Foreground, task);
    }

    /// Lets others run if this task has run for long.
    pub async fn yield_now(&self) {
        self.0.runtime.yield_now().await;
    }

    /// Counters of this shard that the Kafka plane moves.
    pub fn stats(&self) -> &PlaneCells {
        &self.0.plane
    }

    /// What brings those of them up to date that are gauges, just before an operator sees them.
    pub fn observe_with(&self, bring_up_to_date: impl Fn() + 'static) {
        let set = self.0.plane_gauges.set(Box::new(bring_up_to_date));
        assert!(set.is_ok(), "a shard has one Kafka plane");
    }

    /// The data directory has failed on this shard: nothing is written any more.
    pub fn is_failed(&self) -> bool {
        self.0.failed.get()
    }
}
