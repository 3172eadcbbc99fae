//! Questions that can wait: versions, metadata, topics, offsets, producer ids.
//!
//! **Owns** a blocking connection and what is asked before and after a run.
//! **Never** is used while latencies are measured, except by members of groups, which are slow by nature.
//! **Invariants**: versions are those that both sides know.
//! **Enter at** [`cluster`], then [`connection`].

pub(crate) mod cluster;
pub(crate) mod connection;
pub(crate) mod question;
