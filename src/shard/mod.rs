//! One core: the partitions it owns, the requests it gets, the loop that brings both together.
//!
//! **Owns** the cross-core vocabulary and the mesh it travels, the driver around every decider, the clock, randomness,
//! deadlines, the task queues of the executor.
//! **Never** decides anything about Kafka, durability or roles; shares anything with another core but messages.
//! **Invariants**: requests to one shard are served in the order they were sent; every request is answered once; an
//! action is performed in the turn that produced it.
//! **Enter at** [`request`], then [`handle`], then `driver`.

pub mod handle;
pub mod request;

mod core;
mod start;

mod driver;
mod inspect;
mod perform;
mod reads;
mod waits;
mod writes;

mod groups;

mod apply;
mod metadata;
mod producer_ids;

mod alarms;
mod calls;
mod parking;

mod mailbox;
mod tickets;

pub mod clock;
pub mod deadlines;
pub mod entropy;
pub mod heartbeat;
pub mod log_control;
mod observe;
pub mod routing;
pub mod runtime;

pub use core::{ShardMetaLog, ShardStore};
pub use handle::ShardHandle;
pub use mailbox::Mesh;
pub use metadata::Decider;
pub use start::{RecoveredShards, Seed};
pub use tickets::Answer;
