//! Kafka bytes <-> typed messages.
//!
//! **Owns** the encodings of every API and version in [`version`], headers, frames, error codes.
//! **Never** interprets a request, looks inside record batches, or copies them.
//! **Invariants**: a length is checked against the remaining bytes before anything is allocated; any bytes decode to a
//! value or an error; a body is read to its last byte.
//! **Enter at** [`version::APIS`], then [`frame`], then a message of [`messages`].

mod data_path;
pub mod error_code;
pub mod fetch;
mod fetch_request;
pub mod frame;
pub mod header;
pub mod messages;
pub mod primitive;
pub mod produce;
pub mod version;

pub use error_code::ErrorCode;
pub use primitive::{
    Decode, DecodeError, Encode, RawTaggedField, Reader, Writer, decode_body, decode_request,
};
pub use version::ApiKey;

#[cfg(test)]
mod tests;
