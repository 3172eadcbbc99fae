//! Record batch v2, and nothing older.
//!
//! **Owns** the batch header, the rules by which a client's batch is accepted, stamping it with its offset, building
//! batches, looking at single records (any codec) where a look-up by time needs it, and what compaction makes of a batch.
//! **Never** walks or decompresses records on the way in or out of the log, unless each must have a key; allocates more
//! than its caps.
//! **Invariants**: a `ValidBatch` is exactly one batch with a right CRC, dense offsets and no bit only a broker sets;
//! hostile bytes are error values.
//! **Enter at** [`validate`], then [`batch`].

pub mod batch;
pub mod validate;
// Single records and codecs: not on the way in or out of the log.
pub mod builder;
pub mod compression;
pub mod iterate;
mod key;
pub mod rewrite;
mod varint;

pub use batch::{
    Attributes, BATCH_HEADER_BYTES, BatchError, BatchHeader, Batches, Codec, TimestampKind,
    crc_matches, parted, sequence_plus,
};
pub use builder::{BatchBuilder, NewRecord};
pub use iterate::{Record, RecordError, find_timestamp, max_timestamp_record, records};
pub use key::partition_of_key;
pub use rewrite::{RewriteRules, Rewritten, keys, rewrite};
pub use validate::{
    BatchRejection, BatchRules, StampedBatch, TimestampRules, ValidBatch, validate,
};

#[cfg(test)]
mod tests;
