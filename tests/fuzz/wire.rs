//! Hostile bytes against every decoder: never a panic, never an allocation out of proportion to the input.

#![allow(unsafe_code, reason = "the allocator that counts")]

mod allocation;
mod apis;
mod decode;
#[path = "../golden/frames.rs"]
mod frames;
mod hostile;

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use example::{Direction, Shape, example, schemas};
use frames::golden_frames;
use hostile::mutants::{lies, replaced};
use hostile::walk::walk;
use hostile::{Fate, HostileFrame, Judge, World, example};
use ottla::base::ids::Uuid;
use ottla::base::limits::{Limits, REQUEST_ELEMENTS_MAX};
use ottla::base::prng::Prng;
use ottla::wire::frame::{request_length, response_frame};
use ottla::wire::header::{HeaderError, RequestHeader, ResponseHeader};
use ottla::wire::messages::init_producer_id::InitProducerIdResponse;
use ottla::wire::version::APIS;
use ottla::wire::{ApiKey, Decode, DecodeError, Encode, ErrorCode, Reader, Writer};

/// What decoding may allocate per byte of input. A topic of three bytes in a Produce answer is a struct of 224, with room
/// for one partition; an array that outgrows its first allocation is copied once, and each array of a nest may claim the
/// same bytes.
const BYTES_PER_BYTE_MAX: usize = 120;

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
fn for_each_example(mut work: impl FnMut(ApiKey, Direction, i16, Vec<u8>)) {
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
                let body = example(&schema, version, direction, shape, &mut Prng::new(1));
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
fn bytes_after_an_answer_are_an_error_and_after_a_request_ignored() {
    for_each_example(|api, direction, version, mut body| {
        body.push(0);
        let error = decode(api, direction, version, &body).err();
        let expected = match direction {
            Direction::Request => None,
            Direction::Response => Some(DecodeError::TrailingBytes { count: 1 }),
        };
        assert_eq!(error, expected, "{api} {version}");
    });
}

#[test]
fn a_length_that_lies_is_an_error() {
    let schemas = schemas();
    for_each_example(|api, direction, version, body| {
        let schema = schemas.iter().find(|schema| schema.key == api.number());
        let found = walk(
            schema.expect("every API has a schema"),
            version,
            direction,
            &body,
        );
        for mark in &found.expect("the example fits its schema").marks {
            for lie in lies(mark.kind) {
                let result = decode(api, direction, version, &replaced(&body, mark, &lie));
                assert!(
                    result.is_err(),
                    "{api} {direction:?} {version}: {lie:?} for {mark:?}"
                );
            }
        }
    });
}

#[test]
fn flipped_bytes_decode_to_an_error_or_to_what_encodes_again() {
    let mut prng = Prng::new(0x0f11);
    for_each_example(|api, direction, version, body| {
        for _ in 0..40 {
            let mut bytes = body.clone();
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

#[test]
fn hostile_frames_are_what_their_tags_say() {
    let frames = hostile_frames();
    assert!(frames.len() >= 10_000, "{} frames", frames.len());
    let mut counts: BTreeMap<(ApiKey, i16), [usize; 3]> = BTreeMap::new();
    for frame in frames
        .iter()
        .filter(|frame| frame.api.api().decodable.contains(frame.version))
    {
        counts.entry((frame.api, frame.version)).or_default()[frame.fate as usize] += 1;
    }
    for ((api, version), [valid, error, close]) in &counts {
        println!("{api} {version}: {valid} valid, {error} error, {close} close");
        assert!(
            valid + error + close >= 40 && *close >= 20,
            "{api} {version}"
        );
        // Nobody is a member of a group: what only members may ask is refused.
        let gives_nothing = match api {
            ApiKey::JoinGroup | ApiKey::SyncGroup | ApiKey::Heartbeat => true,
            ApiKey::LeaveGroup => *version < 3,
            _ => false,
        };
        let expected = api.api().served && !gives_nothing;
        assert!(*valid > 0 || !expected, "{api} {version}");
    }
    assert_eq!(
        counts.len(),
        APIS.iter()
            .map(|api| api.decodable.iter().count())
            .sum::<usize>()
    );
    for frame in &frames {
        let readable = is_readable(frame);
        // Without an answer to carry an error code, a producer's connection is closed.
        let silent = frame.what.starts_with("acks 0");
        assert!(
            readable == (frame.fate != Fate::Close) || silent,
            "{} {}, {}: tagged {:?}",
            frame.api,
            frame.version,
            frame.what,
            frame.fate
        );
    }
    let again = hostile_frames();
    assert!(
        frames
            .iter()
            .zip(&again)
            .all(|(one, other)| one.bytes == other.bytes),
        "a seed"
    );
}

fn hostile_frames() -> Vec<HostileFrame> {
    let topic = "hostile".to_owned();
    hostile::frames(
        &World {
            topic,
            topic_id: Uuid([7; 16]),
            partitions: 4,
        },
        1,
    )
}

#[test]
fn the_judge_tells_right_ends_from_wrong_ones() {
    let frames = hostile_frames();
    let of = |api, fate| {
        let found = frames
            .iter()
            .find(|frame| frame.api == api && frame.fate == fate);
        found.expect("each served API has frames of each fate")
    };
    let answer = |frame: &HostileFrame, code: ErrorCode| {
        let error_code = code.code();
        let body = InitProducerIdResponse {
            error_code,
            ..Default::default()
        };
        response_frame(frame.api, frame.version, frame.correlation_id, &body).slice(4..)
    };
    let judge = Judge::new();
    let (none, refused, bug) = (
        ErrorCode::None,
        ErrorCode::InvalidRequest,
        ErrorCode::UnknownServerError,
    );
    for (fate, code, is_right) in [
        (Fate::Valid, Some(none), true),
        (Fate::Valid, Some(refused), false),
        (Fate::Valid, None, false),
        (Fate::Error, Some(refused), true),
        (Fate::Error, Some(none), false),
        (Fate::Error, Some(bug), false),
        (Fate::Error, None, false),
        (Fate::Close, None, true),
        (Fate::Close, Some(refused), false),
    ] {
        let frame = of(ApiKey::InitProducerId, fate);
        let answer = code.map(|code| answer(frame, code));
        let verdict = judge.judge(frame, answer.as_deref());
        assert_eq!(verdict.is_ok(), is_right, "{fate:?} {code:?}: {verdict:?}");
    }
    let frame = of(ApiKey::InitProducerId, Fate::Valid);
    let honest = answer(frame, none);
    assert!(
        judge
            .judge(frame, Some(&honest[..honest.len() - 1]))
            .is_err(),
        "a byte is missing"
    );
    assert!(
        judge
            .judge(frame, Some(&[&honest[..], &[0]].concat()))
            .is_err(),
        "a byte too many"
    );
    let other = answer(of(ApiKey::InitProducerId, Fate::Error), none);
    assert!(
        judge.judge(frame, Some(&other)).is_err(),
        "the answer to another question"
    );
}

/// Whether a broker can read the frame's request and serves it.
fn is_readable(frame: &HostileFrame) -> bool {
    let (prefix, rest) = frame.bytes.split_at(4);
    let prefix = prefix.try_into().expect("four bytes of length");
    if request_length(prefix, Limits::DEFAULT.request_bytes_max()) != Ok(rest.len()) {
        return false;
    }
    let mut reader = Reader::new(Bytes::copy_from_slice(rest));
    let Ok(header) = RequestHeader::decode(&mut reader) else {
        return false;
    };
    if !header.is_decodable() {
        return header.api_key == ApiKey::ApiVersions;
    }
    let body = reader.into_rest();
    header.api_key.api().served
        && decode(
            header.api_key,
            Direction::Request,
            header.api_version,
            &body,
        )
        .is_ok()
}
