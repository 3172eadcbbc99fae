//! What `schemas/build.rs` generated from `schemas/kafka/`: per API a module with its request and response.
//!
//! Field names are Kafka's in snake case. A field that a version lacks has its default after decoding and is left out
//! when encoding. `bytes` fields are slices of the frame they came in and keep all of it alive.

#![allow(
    unused_variables,
    clippy::derivable_impls,
    clippy::redundant_closure,
    clippy::let_and_return,
    reason = "generated code treats all fields alike"
)]

include!(concat!(env!("OUT_DIR"), "/messages.rs"));
