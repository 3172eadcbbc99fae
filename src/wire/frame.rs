//! Frames: four bytes of length, then header and body.

use bytes::{Bytes, BytesMut};

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
/// Frames that share memory; the last of them that is let go frees it, so one that nobody takes holds no more than this.
const FRAMES_TOGETHER_BYTES: usize = 1024;

/// Memory for the frames that leave, many in one piece: an answer is small.
#[derive(Default)]
pub struct FrameMemory(BytesMut);

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

impl FrameMemory {
    /// Like [`response_frame`].
    pub fn response_frame(
        &mut self,
        api_key: ApiKey,
        api_version: i16,
        correlation_id: i32,
        body: &(impl Encode + ?Sized),
    ) -> Bytes {
        if self.0.capacity() < FRAME_FIRST_BYTES {
            self.0 = BytesMut::with_capacity(FRAMES_TOGETHER_BYTES);
        }
        let begun = std::mem::take(&mut self.0);
        let frame = response(begun, api_key, api_version, correlation_id, body);
        let (frame, rest) = frame.into_bytes_and_memory();
        // Small frames must not keep the memory of a large one.
        if frame.len() <= FRAMES_TOGETHER_BYTES {
            self.0 = rest;
        }
        frame
    }
}

/// An answer as it goes onto the socket, its length in front.
pub fn response_frame(
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
    body: &(impl Encode + ?Sized),
) -> Bytes {
    let begun = BytesMut::with_capacity(FRAME_FIRST_BYTES);
    response(begun, api_key, api_version, correlation_id, body).into_bytes()
}

/// Like [`response_frame`], in pieces for one vectored write: record bytes stay where they are.
pub fn response_pieces(
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
    body: &(impl Encode + ?Sized),
) -> Vec<Bytes> {
    let begun = BytesMut::with_capacity(FRAME_FIRST_BYTES);
    response(begun, api_key, api_version, correlation_id, body).into_pieces()
}

fn response(
    memory: BytesMut,
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
    body: &(impl Encode + ?Sized),
) -> Writer {
    let header = ResponseHeader {
        correlation_id,
        unknown_tagged_fields: Vec::new(),
    };
    framed(memory, |writer| {
        header.encode(writer, ResponseHeader::version(api_key, api_version));
        body.encode(writer, api_version);
    })
}

/// A question as it goes onto the socket, its length in front.
pub fn request_frame(header: &RequestHeader, body: &(impl Encode + ?Sized)) -> Bytes {
    let frame = framed(BytesMut::with_capacity(FRAME_FIRST_BYTES), |writer| {
        header.encode(writer);
        body.encode(writer, header.api_version);
    });
    frame.into_bytes()
}

fn framed(memory: BytesMut, write: impl FnOnce(&mut Writer)) -> Writer {
    let mut writer = Writer::over(memory);
    writer.int32(0);
    write(&mut writer);
    let bytes = writer.len() - FRAME_LENGTH_BYTES;
    writer.patch_int32(
        0,
        i32::try_from(bytes).expect("a frame is shorter than 2 GiB"),
    );
    writer
}
