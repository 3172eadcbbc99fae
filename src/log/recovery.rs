//! What recovery concludes from a journal and a snapshot. Named cases, no guesses.
//!
//! `chain` puts the records of one shard in order and finds where they end or are broken; `replay` applies what follows
//! from them to the sections of the partitions, and gathers the bytes that segments still lack. `salvage` makes a
//! damaged partition anew from its segments, when an operator accepts the loss.

pub mod chain;
pub mod replay;
pub mod salvage;
