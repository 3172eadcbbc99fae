//! Frames of every API and version, both directions, as they were when they were written down.
//!
//! `wire.hex` holds one frame a line: API, version, direction, bytes. Run with `OTTLA_GOLDEN=write` after an API or a
//! version was added; lines that were there stay as they are, for clients do not change either.

#[path = "../fuzz/apis.rs"]
mod apis;
#[path = "../fuzz/decode.rs"]
mod decode;
#[path = "../fuzz/example.rs"]
#[allow(dead_code, reason = "not every shape serves here")]
mod example;
mod frames;

use bytes::Bytes;
use decode::decode;
use example::{Direction, Shape, example, schemas};
use frames::{Golden, golden_frames};
use ottla::base::prng::Prng;
use ottla::wire::frame::{FRAME_LENGTH_BYTES, request_frame, request_length, response_frame};
use ottla::wire::header::{RequestHeader, ResponseHeader};
use ottla::wire::{ApiKey, Decode, Reader};

const CORRELATION_ID: i32 = 0x0102_0304;
const CLIENT_ID: &str = "golden";

#[test]
fn golden_frames_read_and_write_as_ever() {
    if std::env::var("OTTLA_GOLDEN").is_ok_and(|value| value == "write") {
        frames::write(&with_new(golden_frames()));
    }
    let frames = golden_frames();
    let expected: Vec<_> = drawn()
        .iter()
        .map(|golden| (golden.name(), golden.direction))
        .collect();
    let present: Vec<_> = frames
        .iter()
        .map(|golden| (golden.name(), golden.direction))
        .collect();
    assert_eq!(
        present, expected,
        "an API or version lacks its golden frame"
    );
    for golden in &frames {
        assert_eq!(
            again(golden),
            golden.bytes,
            "{} {:?}",
            golden.name(),
            golden.direction
        );
    }
}

/// `present`, and what is missing drawn.
fn with_new(mut present: Vec<Golden>) -> Vec<Golden> {
    let mut frames = drawn();
    for frame in &mut frames {
        let is_same = |old: &Golden| old.name() == frame.name() && old.direction == frame.direction;
        if let Some(place) = present.iter().position(is_same) {
            *frame = present.swap_remove(place);
        }
    }
    frames
}

/// A frame for each API, version and direction, drawn from the schemas without our codec.
fn drawn() -> Vec<Golden> {
    let mut frames = Vec::new();
    for api in schemas() {
        for version in api.versions.iter() {
            for direction in [Direction::Request, Direction::Response] {
                let mut prng = Prng::new(api.key as u64 * 1000 + version as u64);
                let body = example(&api, version, direction, Shape::Full, &mut prng);
                let mut frame = header(api.key, version, api.is_flexible(version), direction);
                frame.extend(body);
                let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
                bytes.extend(frame);
                let api = ApiKey::from_number(api.key).expect("every schema has its row");
                frames.push(Golden {
                    api,
                    version,
                    direction,
                    bytes,
                });
            }
        }
    }
    frames
}

fn header(key: i16, version: i16, flexible: bool, direction: Direction) -> Vec<u8> {
    let mut header = Vec::new();
    if direction == Direction::Request {
        header.extend(key.to_be_bytes());
        header.extend(version.to_be_bytes());
    }
    header.extend(CORRELATION_ID.to_be_bytes());
    if direction == Direction::Request {
        header.extend((CLIENT_ID.len() as u16).to_be_bytes());
        header.extend(CLIENT_ID.as_bytes());
    }
    let api_versions_response = key == 18 && direction == Direction::Response;
    if flexible && !api_versions_response {
        header.push(0);
    }
    header
}

/// The frame after our codec has read it and written it back.
fn again(golden: &Golden) -> Bytes {
    let Golden {
        api,
        version,
        direction,
        bytes,
    } = golden;
    let (prefix, frame) = bytes.split_at(FRAME_LENGTH_BYTES);
    let mut reader = Reader::new(Bytes::copy_from_slice(frame));
    if *direction == Direction::Request {
        let prefix = prefix.try_into().expect("four bytes of length");
        assert_eq!(request_length(prefix, frame.len()), Ok(frame.len()));
        let header = RequestHeader::decode(&mut reader).expect("a golden header");
        assert_eq!((header.api_key, header.api_version), (*api, *version));
        assert_eq!(header.correlation_id, CORRELATION_ID);
        assert_eq!(header.client_id.as_deref(), Some(CLIENT_ID));
        let body = decode(*api, *direction, *version, reader.into_rest()).expect("a golden body");
        request_frame(&header, body.as_ref())
    } else {
        let header = ResponseHeader::decode(&mut reader, ResponseHeader::version(*api, *version))
            .expect("a golden header");
        let body = decode(*api, *direction, *version, reader.into_rest()).expect("a golden body");
        response_frame(*api, *version, header.correlation_id, body.as_ref())
    }
}
