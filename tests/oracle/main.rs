//! Our codec against the `kafka-protocol` crate: every API, every version, both directions.
//!
//! Bodies are drawn from the schemas. Each side decodes them and writes them back byte for byte, which makes either
//! side's output the other's input, and both must have read the same value into every field of the same name.

#[path = "../fuzz/apis.rs"]
mod apis;
mod debug_text;
#[path = "../fuzz/example.rs"]
#[allow(dead_code, reason = "not every shape serves here")]
mod example;

use std::fmt::Debug;

use apis::with_apis;
use bytes::{Bytes, BytesMut};
use example::notation::{Api, Versions};
use example::{Direction, Shape, example, schemas};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, Message};
use ottla::base::prng::Prng;
use ottla::wire::header::{RequestHeader, ResponseHeader};
use ottla::wire::version::APIS;
use ottla::wire::{
    ApiKey, Decode, Encode, ErrorCode, RawTaggedField, Reader, Writer, decode_body,
    messages as ours,
};

/// Bodies drawn per API, version and direction.
const BODIES: u64 = 150;

#[test]
fn every_api_and_version_agrees_with_the_oracle() {
    let schemas = schemas();
    let schema = |key: ApiKey| {
        schemas
            .iter()
            .find(|api| api.key == key.number())
            .expect("every API has a schema")
    };
    let mut bodies = 0;
    macro_rules! compare {
        ($($key:ident $module:ident $request:ident $response:ident)*) => {$(
            let api = schema(ApiKey::$key);
            bodies += compare::<ours::$module::$request, theirs::$request>(api, Direction::Request);
            bodies += compare::<ours::$module::$response, theirs::$response>(api, Direction::Response);
        )*};
    }
    with_apis!(compare);
    let versions: usize = APIS.iter().map(|api| api.decodable.iter().count()).sum();
    println!("{} APIs, {versions} versions, {bodies} bodies", APIS.len());
    assert_eq!(bodies, versions as u64 * 2 * (BODIES + 2));
}

fn compare<Ours, Theirs>(api: &Api, direction: Direction) -> u64
where
    Ours: Decode + Encode + Debug,
    Theirs: Message + Decodable + Encodable + Debug,
{
    let (Versions { first, last }, oracle) = (api.versions, Theirs::VERSIONS);
    assert_eq!(first, oracle.min, "{} {direction:?}", api.name);
    // The oracle knows the next, unstable version of some responses.
    assert!(
        last == oracle.max || direction == Direction::Response,
        "{}",
        api.name
    );
    let mut bodies = 0;
    for version in api.versions.iter() {
        for seed in 0..BODIES + 2 {
            let shape = match seed {
                0 => Shape::Least,
                1 => Shape::Full,
                _ => Shape::Any,
            };
            let body = example(api, version, direction, shape, &mut Prng::new(seed));
            let what = format!("{} {direction:?} version {version} seed {seed}", api.name);
            agree::<Ours, Theirs>(&what, version, body.into());
            bodies += 1;
        }
    }
    bodies
}

fn agree<Ours, Theirs>(what: &str, version: i16, body: Bytes)
where
    Ours: Decode + Encode + Debug,
    Theirs: Decodable + Encodable + Debug,
{
    let our_message: Ours = decode_body(body.clone(), version)
        .unwrap_or_else(|error| panic!("{what}: we say {error}: {body:?}"));
    let mut rest = body.clone();
    let their_message = Theirs::decode(&mut rest, version)
        .unwrap_or_else(|error| panic!("{what}: the oracle says {error}: {body:?}"));
    assert!(
        rest.is_empty(),
        "{what}: the oracle leaves {rest:?} of {body:?}"
    );

    let mut writer = Writer::new();
    our_message.encode(&mut writer, version);
    assert_eq!(
        writer.into_bytes(),
        body,
        "{what}: we write other bytes for {our_message:?}"
    );
    let mut written = BytesMut::new();
    their_message
        .encode(&mut written, version)
        .expect("the oracle writes what it read");
    assert_eq!(
        written, body,
        "{what}: the oracle writes other bytes for {their_message:?}"
    );

    let (our_text, their_text) = (format!("{our_message:?}"), format!("{their_message:?}"));
    if let Err(difference) = debug_text::compare(&our_text, &their_text) {
        panic!("{what}: {difference}\nours   {our_text}\ntheirs {their_text}");
    }
}

#[test]
fn tables_of_versions_agree_with_the_oracle_and_the_schemas() {
    let schemas = schemas();
    assert_eq!(schemas.len(), APIS.len());
    for (api, schema) in APIS.iter().zip(&schemas) {
        let key = theirs::ApiKey::try_from(api.key.number()).expect("the oracle knows the API");
        assert_eq!(format!("{key:?}"), api.name);
        assert_eq!(ApiKey::from_number(schema.key), Some(api.key));
        assert_eq!(schema.name, api.name);
        assert_eq!(schema.flexible_from, api.flexible_from, "{}", api.name);
        let range = (api.decodable.first, api.decodable.last);
        assert_eq!(
            range,
            (schema.versions.first, schema.versions.last),
            "{}",
            api.name
        );
        for version in api.decodable.iter() {
            let flexible = key.request_header_version(version) == 2;
            assert_eq!(
                api.key.is_flexible(version),
                flexible,
                "{} {version}",
                api.name
            );
            let header = ResponseHeader::version(api.key, version);
            assert_eq!(
                header,
                key.response_header_version(version),
                "{} {version}",
                api.name
            );
        }
    }
}

#[test]
fn request_headers_agree_with_the_oracle() {
    for (api_key, api_version) in [(ApiKey::Metadata, 8), (ApiKey::Metadata, 9)] {
        for client_id in [None, Some(String::new()), Some("a client".to_owned())] {
            let version = if api_key.is_flexible(api_version) {
                2
            } else {
                1
            };
            let header = RequestHeader {
                api_key,
                api_version,
                correlation_id: -7,
                client_id: client_id.as_deref().map(Into::into),
                unknown_tagged_fields: unknown(version == 2),
            };
            let mut writer = Writer::new();
            header.encode(&mut writer);
            let bytes = writer.into_bytes();
            let oracle = theirs::RequestHeader::decode(&mut bytes.clone(), version)
                .expect("the oracle reads our header");
            assert_eq!(oracle.request_api_key, api_key.number());
            assert_eq!(oracle.request_api_version, api_version);
            assert_eq!(oracle.correlation_id, -7);
            assert_eq!(oracle.client_id.as_deref(), client_id.as_deref());
            let mut written = BytesMut::new();
            oracle
                .encode(&mut written, version)
                .expect("the oracle writes what it read");
            assert_eq!(written, bytes);
            let again = RequestHeader::decode(&mut Reader::new(written.freeze()));
            assert_eq!(again, Ok(header));
        }
    }
}

#[test]
fn response_headers_agree_with_the_oracle() {
    for version in [0, 1] {
        let unknown_tagged_fields = unknown(version == 1);
        let header = ResponseHeader {
            correlation_id: 77,
            unknown_tagged_fields,
        };
        let mut writer = Writer::new();
        header.encode(&mut writer, version);
        let bytes = writer.into_bytes();
        let oracle = theirs::ResponseHeader::decode(&mut bytes.clone(), version)
            .expect("the oracle reads our header");
        assert_eq!(oracle.correlation_id, 77);
        let mut written = BytesMut::new();
        oracle
            .encode(&mut written, version)
            .expect("the oracle writes what it read");
        assert_eq!(decode_body(written.freeze(), version), Ok(header));
    }
}

fn unknown(flexible: bool) -> Vec<RawTaggedField> {
    let field = RawTaggedField {
        tag: 5,
        value: Bytes::from_static(b"later"),
    };
    if flexible { vec![field] } else { Vec::new() }
}

#[test]
fn error_codes_agree_with_the_oracle() {
    use kafka_protocol::ResponseError;
    for code in -1..=200 {
        let oracle = ResponseError::try_from_code(code);
        let oracle = oracle.filter(|error| !matches!(error, ResponseError::Unknown(_)));
        let ours = ErrorCode::from_code(code).filter(|&code| code != ErrorCode::None);
        let names = (
            ours.map(|code| format!("{code:?}")),
            oracle.map(|error| format!("{error:?}")),
        );
        assert_eq!(names.0, names.1, "code {code}");
        assert!(ours.is_none_or(|ours| ours.code() == code));
    }
}
