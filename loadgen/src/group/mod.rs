//! Members of a consumer group, over the wire: join, sync, heartbeat, fetch, commit, leave.
//!
//! **Owns** the classic protocol as a client speaks it, and one blocking thread for each member.
//! **Never** shares a partition between two members of one generation.
//! **Invariants**: a member reads what its last assignment gave it, from where the member before it stopped.
//! **Enter at** [`gather`], then [`member`].

pub(crate) mod gather;
pub(crate) mod member;
pub(crate) mod protocol;
