//! Notation in, Rust out.
//!
//! **Owns** the grammar of `schemas/kafka/*.schema` and the shape of the generated messages.
//! **Never** knows how a primitive is read or written: that is `src/wire/primitive.rs`.
//! **Invariants**: what parses is well-formed, so the second step cannot fail.
//! **Enter at** [`notation`], then [`rust`].

pub(crate) mod notation;
pub(crate) mod rust;
