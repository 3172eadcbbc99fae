//! The operator plane: health and metrics over HTTP.
//!
//! **Owns** one ordinary thread with its own small runtime, the HTTP listener, the text format of a scrape.
//! **Never** changes anything, or makes a shard wait: a shard answers a question when it comes to it.
//! **Invariants**: every question to a shard has a bound in number and time; a shard that does not answer shows as such.
//! **Enter at** [`thread`], then `bridge`.

pub mod thread;

mod bridge;
mod health;
mod latency;
mod metrics;
mod text_format;

pub use bridge::ShardEnd;
pub use thread::{Admin, AdminSettings, start};
