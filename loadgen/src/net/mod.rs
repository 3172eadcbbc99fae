//! Sockets that never block.
//!
//! **Owns** what waits to be written, what was read and is no whole frame yet, and the wait for either.
//! **Never** knows what a frame means.
//! **Invariants**: bytes leave in the order they were queued; a frame is handed out whole or not at all.
//! **Enter at** [`poll`], then [`outbound`].

pub(crate) mod inbound;
pub(crate) mod outbound;
pub(crate) mod poll;
