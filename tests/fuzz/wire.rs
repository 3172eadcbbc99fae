//! Hostile bytes against every decoder: never a panic, never an allocation out of proportion to the input.

#![allow(unsafe_code, reason = "the allocator that counts")]

mod allocation;
mod apis;
mod decode;
mod example;
#[path = "../golden/frames.rs"]
mod frames;

use bytes::{BufMut, Bytes, BytesMut};
use example::{Direction, Example, Mark, MarkKind, Shape, example, schemas, varint};
use frames::golden_frames;
use ottla::base::limits::REQUEST_ELEMENTS_MAX;
use ottla::base::prng::Prng;
use ottla::wire::header::{HeaderError, RequestHeader, ResponseHeader};
use ottla::wire::version::APIS;
use ottla::wire::{ApiKey, Decode, DecodeError, Encode, Reader, Writer};

/// What decoding may allocate per byte of input. A group of three bytes in a ListGroups answer is a struct of 120, an
/// array that outgrows its first allocation is copied once, and each array of a nest may claim the same bytes.
const BYTES_PER_BYTE_MAX: usize = 100;

const DIRECTIONS: [Direction; 2] = [Direction::Request, Direction::Response];

/// Decodes, and holds the decoder to its bound of memory.
fn decode(
    api: ApiKey,
    direction: Direction,
    version: i16,
    body: &[u8],
) -> Result<Box<dyn Encode>, DecodeError> {
    let body = Bytes::copy_from_slice(body);
    let bytes = body.len();
    let work = || decode::decode(api, direction, version, body);
    let (result, peak) = allocation::peak_bytes(work);
    // The box around the message is the test's own.
    let allowed = bytes * BYTES_PER_BYTE_MAX + 512;
    assert!(
        peak <= allowed,
        "{api} {direction:?} {version}: {peak} for {bytes} bytes"
    );
    result
}

fn encode(message: &dyn Encode, version: i16) -> Bytes {
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    writer.into_bytes()
}

/// `work` for each API, version and direction, with bodies of every shape.
fn for_each_example(mut work: impl FnMut(ApiKey, Direction, i16, Example)) {
    for schema in schemas() {
        let api = ApiKey::from_number(schema.key).expect("every schema has its row");
        for version in schema.versions.iter() {
            for direction in DIRECTIONS {
                for shape in [Shape::Least, Shape::Full, Shape::Any] {
                    let body = example(&schema, version, direction, shape, &mut Prng::new(1));
                    work(api, direction, version, body);
                }
            }
        }
    }
}

#[test]
fn crowded_arrays_cost_memory_in_proportion() {
    for schema in schemas() {
        let api = ApiKey::from_number(schema.key).expect("every schema has its row");
        for version in schema.versions.iter() {
            for direction in DIRECTIONS {
                let shape = Shape::Crowded;
                let body = example(&schema, version, direction, shape, &mut Prng::new(1)).bytes;
                assert!(decode(api, direction, version, &body).is_ok());
                if let Some((_, cut)) = body.split_last() {
                    assert!(decode(api, direction, version, cut).is_err());
                }
            }
        }
    }
}

#[test]
fn a_golden_frame_cut_anywhere_is_an_error() {
    for golden in golden_frames() {
        let frame = Bytes::from(golden.bytes).slice(4..);
        let mut reader = Reader::new(frame.clone());
        match golden.direction {
            Direction::Request => drop(RequestHeader::decode(&mut reader).expect("golden")),
            Direction::Response => {
                let version = ResponseHeader::version(golden.api, golden.version);
                drop(ResponseHeader::decode(&mut reader, version).expect("golden"));
            }
        }
        let body = reader.into_rest();
        for end in 0..body.len() {
            let cut = decode(golden.api, golden.direction, golden.version, &body[..end]);
            assert!(
                cut.is_err(),
                "{} {} cut at {end}",
                golden.api,
                golden.version
            );
        }
        for end in 0..frame.len() - body.len() {
            let header = RequestHeader::decode(&mut Reader::new(frame.slice(..end)));
            let cut = matches!(
                header,
                Err(HeaderError::Malformed(DecodeError::Truncated { .. }))
            );
            assert!(
                cut || golden.direction == Direction::Response,
                "{} cut at {end}",
                golden.api
            );
        }
    }
}

#[test]
fn bytes_after_a_body_are_an_error() {
    for_each_example(|api, direction, version, mut body| {
        body.bytes.push(0);
        let error = decode(api, direction, version, &body.bytes).err();
        assert_eq!(
            error,
            Some(DecodeError::TrailingBytes { count: 1 }),
            "{api} {version}"
        );
    });
}

#[test]
fn a_length_that_lies_is_an_error() {
    for_each_example(|api, direction, version, body| {
        for mark in &body.marks {
            for lie in lies(mark.kind) {
                let bytes = replaced(&body.bytes, mark, &lie);
                let result = decode(api, direction, version, &bytes);
                assert!(
                    result.is_err(),
                    "{api} {direction:?} {version}: {lie:?} for {mark:?}"
                );
            }
        }
    });
}

/// Encodings that no honest body has in that place, whatever follows.
fn lies(kind: MarkKind) -> Vec<Vec<u8>> {
    let null = |nullable: bool, null: &[u8]| (!nullable).then(|| null.to_vec());
    match kind {
        MarkKind::ShortLength { nullable } => [i16::MAX, i16::MIN, -2]
            .map(|length| length.to_be_bytes().to_vec())
            .into_iter()
            .chain(null(nullable, &[0xff; 2]))
            .collect(),
        MarkKind::LongLength { nullable } => [i32::MAX, i32::MIN, -2, 1 << 24]
            .map(|length| length.to_be_bytes().to_vec())
            .into_iter()
            .chain(null(nullable, &[0xff; 4]))
            .collect(),
        MarkKind::CompactLength { nullable } => [u32::MAX, 1 << 31, 1 << 30, 1 << 14]
            .map(varint)
            .into_iter()
            .chain([vec![0xff; 5], vec![0x80; 10]])
            .chain(null(nullable, &[0]))
            .collect(),
        MarkKind::TagCount | MarkKind::TagSize => [u32::MAX, 1 << 20].map(varint).to_vec(),
        MarkKind::Text => vec![vec![0xff], vec![0xc0, 0xaf], vec![0xed, 0xa0, 0x80]],
    }
}

/// `bytes` with those of `mark` replaced; text keeps its length, as its length is not marked with it.
fn replaced(bytes: &[u8], mark: &Mark, lie: &[u8]) -> Vec<u8> {
    let mut text = bytes[mark.start..mark.end].to_vec();
    if mark.kind == MarkKind::Text {
        text.splice(
            ..lie.len().min(text.len()),
            lie.iter().take(text.len()).copied(),
        );
    } else {
        text = lie.to_vec();
    }
    [&bytes[..mark.start], &text, &bytes[mark.end..]].concat()
}

#[test]
fn flipped_bytes_decode_to_an_error_or_to_what_encodes_again() {
    let mut prng = Prng::new(0x0f11);
    for_each_example(|api, direction, version, body| {
        for _ in 0..40 {
            let mut bytes = body.bytes.clone();
            for _ in 0..=prng.below(3) {
                if !bytes.is_empty() {
                    let position = prng.below(bytes.len() as u64) as usize;
                    bytes[position] = prng.next_u64() as u8;
                }
            }
            let Ok(message) = decode(api, direction, version, &bytes) else {
                continue;
            };
            let written = encode(message.as_ref(), version);
            let again = decode(api, direction, version, &written);
            let again = again.unwrap_or_else(|error| panic!("{api} {version}: {error} {bytes:?}"));
            assert_eq!(
                encode(again.as_ref(), version),
                written,
                "{api} {version}: {bytes:?}"
            );
        }
    });
}

#[test]
fn random_bytes_never_panic() {
    let mut prng = Prng::new(0xbad);
    for api in APIS {
        for version in api.decodable.iter() {
            for _ in 0..200 {
                let digits = prng.below(11);
                let length = prng.below(1 << digits);
                let bytes: Vec<u8> = (0..length).map(|_| drawn_byte(&mut prng)).collect();
                for direction in DIRECTIONS {
                    let _ = decode(api.key, direction, version, &bytes);
                }
                let _ = RequestHeader::decode(&mut Reader::new(bytes.into()));
            }
        }
    }
}

/// Small numbers more often than others: they are lengths that hold.
fn drawn_byte(prng: &mut Prng) -> u8 {
    if prng.chance(60) {
        prng.below(4) as u8
    } else {
        prng.next_u64() as u8
    }
}

#[test]
fn versions_outside_the_table_are_errors() {
    for api in APIS {
        for version in [
            api.decodable.first - 1,
            api.decodable.last + 1,
            i16::MIN,
            i16::MAX,
        ] {
            for direction in DIRECTIONS {
                let error = decode(api.key, direction, version, &[0; 64]).err();
                let unsupported = Some(DecodeError::UnsupportedVersion { version });
                assert_eq!(error, unsupported, "{} {version}", api.name);
            }
        }
    }
}

#[test]
fn a_request_of_too_many_elements_is_an_error() {
    let names = REQUEST_ELEMENTS_MAX + 1;
    let mut body = BytesMut::new();
    body.put_u32(names as u32);
    body.put_bytes(0, 2 * names);
    let error = decode(ApiKey::DeleteGroups, Direction::Request, 0, &body).err();
    assert_eq!(error, Some(DecodeError::TooManyElements));
}
