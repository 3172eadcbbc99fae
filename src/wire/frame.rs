//! Frames: four bytes of length, then header and body.

use bytes::Bytes;

use super::header::{RequestHeader, ResponseHeader};
use super::primitive::{Encode, Writer};
use super::version::ApiKey;

/// The length before a frame; it does not count itself.
pub const FRAME_LENGTH_BYTES: usize = 4;
/// Key, version, correlation id and the length of the client id: no request is shorter.
pub const REQUEST_BYTES_MIN: usize = 10;
/// What a frame has room for from the start, foreign bytes not counted: the requests and answers of Produce and Fetch
/// for one partition never grow.
const FRAME_FIRST_BYTES: usize = 256;

/// A length that is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// Negative, or shorter than any header.
    TooShort {
        bytes: i32,
    },
    TooLong {
        bytes: usize,
        bytes_max: usize,
    },
}

/// The length of the request that follows these four bytes.
pub fn request_length(
    prefix: [u8; FRAME_LENGTH_BYTES],
    bytes_max: usize,
) -> Result<usize, FrameError> {
    let length = i32::from_be_bytes(prefix);
    match usize::try_from(length) {
        Ok(bytes) if bytes > bytes_max => Err(FrameError::TooLong { bytes, bytes_max }),
        Ok(bytes) if bytes >= REQUEST_BYTES_MIN => Ok(bytes),
        _ => Err(FrameError::TooShort { bytes: length }),
    }
}

/// An answer as it goes onto the socket, its length in front.
pub fn response_frame(
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
    body: &(impl Encode + ?Sized),
) -> Bytes {
    response(api_key, api_version, correlation_id, body).into_bytes()
}

/// Like [`response_frame`], in pieces for one vectored write: record bytes stay where they are.
pub fn response_pieces(
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
    body: &(impl Encode + ?Sized),
) -> Vec<Bytes> {
    response(api_key, api_version, correlation_id, body).into_pieces()
}

fn response(
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
    body: &(impl Encode + ?Sized),
) -> Writer {
    let header = ResponseHeader {
        correlation_id,
        unknown_tagged_fields: Vec::new(),
    };
    framed(|writer| {
        header.encode(writer, ResponseHeader::version(api_key, api_version));
        body.encode(writer, api_version);
    })
}

/// A question as it goes onto the socket, its length in front.
pub fn request_frame(header: &RequestHeader, body: &(impl Encode + ?Sized)) -> Bytes {
    let frame = framed(|writer| {
        header.encode(writer);
        body.encode(writer, header.api_version);
    });
    frame.into_bytes()
}

fn framed(write: impl FnOnce(&mut Writer)) -> Writer {
    let mut writer = Writer::with_capacity(FRAME_FIRST_BYTES);
    writer.int32(0);
    write(&mut writer);
    let bytes = writer.len() - FRAME_LENGTH_BYTES;
    writer.patch_int32(
        0,
        i32::try_from(bytes).expect("a frame is shorter than 2 GiB"),
    );
    writer
}
