//! The Kafka plane: what clients see. A node shows them one broker, never one per core.
//!
//! **Owns** connections, the memory of requests and answers, the order of answers, the meaning of each API version,
//! and the mapping of errors to Kafka's codes ([`errors`]).
//! **Never** touches a log, a decider or another connection: it asks shards through [`crate::shard::request`].
//! **Invariants**: requests are dispatched in the order they came and answered in that order; a connection that may
//! not dispatch does not read; a definite error means that nothing was written.
//! **Enter at** [`listener`], then `connection`, `dispatch` and `handlers`.

pub mod listener;

mod connection;
mod connections;
mod plane;

mod admission;
mod budget;
mod inbound;
mod reply_queue;

mod call;
mod dispatch;
mod errors;
mod fetch_sessions;
mod handlers;
mod meter;

pub use connections::ConnectionCounts;
pub use listener::{Listener, start};
