use bytes::Bytes;

use super::fetch::{FetchResponse, FetchableTopicResponse, PartitionData, RecordPieces};
use super::frame::{
    FrameError, FrameMemory, request_frame, request_length, response_frame, response_pieces,
};
use super::header::{HeaderError, RequestHeader};
use super::messages::delete_groups::DeleteGroupsRequest;
use super::messages::metadata::MetadataResponse;
use super::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData, TopicProduceResponse,
};
use super::version::advertised;
use super::{ApiKey, Decode, DecodeError, RawTaggedField, Reader, Writer, decode_body};
use crate::base::limits::{TAGGED_FIELD_BYTES_MAX, TAGGED_FIELDS_MAX};

fn reader(bytes: &[u8]) -> Reader {
    Reader::new(Bytes::copy_from_slice(bytes))
}

fn header(api_key: ApiKey, api_version: i16) -> RequestHeader {
    RequestHeader {
        api_key,
        api_version,
        correlation_id: 1,
        client_id: None,
        unknown_tagged_fields: Vec::new(),
    }
}

fn lies_in(part: &Bytes, whole: &Bytes) -> bool {
    whole.as_ptr_range().contains(&part.as_ptr())
}

#[test]
fn produced_records_are_slices_of_the_frame() {
    let records = Bytes::from(vec![7; 100]);
    let data = PartitionProduceData {
        records: Some(records.clone()),
        ..Default::default()
    };
    let topic = TopicProduceData {
        partition_data: [data].into(),
        ..Default::default()
    };
    let request = ProduceRequest {
        topic_data: [topic].into(),
        ..Default::default()
    };
    for version in [3, 13] {
        let frame = request_frame(&header(ApiKey::Produce, version), &request).slice(4..);
        let mut reader = Reader::new(frame.clone());
        RequestHeader::decode(&mut reader).expect("our own header");
        let read: ProduceRequest = decode_body(reader.into_rest(), version).expect("our own body");
        let arrived = read.topic_data[0].partition_data[0]
            .records
            .as_ref()
            .expect("records");
        assert_eq!(arrived, &records);
        assert!(lies_in(arrived, &frame), "version {version} copied");
    }
}

#[test]
fn fetched_records_go_out_as_the_pieces_that_came() {
    let pieces = [
        Bytes::from(vec![1; 50]),
        Bytes::from(vec![2; 60]),
        Bytes::from(vec![3; 70]),
    ];
    let data = |pieces: &[Bytes]| PartitionData {
        records: Some(RecordPieces(pieces.to_vec())),
        ..Default::default()
    };
    let partitions = vec![data(&pieces[..2]), data(&[]), data(&pieces[2..])];
    let topic = FetchableTopicResponse {
        partitions,
        ..Default::default()
    };
    let response = FetchResponse {
        responses: vec![topic],
        ..Default::default()
    };
    for version in [4, 18] {
        let sent = response_pieces(ApiKey::Fetch, version, 5, &response);
        for piece in &pieces {
            let shared =
                |sent: &&Bytes| sent.as_ptr() == piece.as_ptr() && sent.len() == piece.len();
            assert!(
                sent.iter().any(|sent| shared(&sent)),
                "version {version} copied"
            );
        }
        assert!(sent.iter().all(|piece| !piece.is_empty()));
        let whole = response_frame(ApiKey::Fetch, version, 5, &response);
        assert_eq!(sent.concat(), whole);
        assert_eq!(whole[..4], (whole.len() as u32 - 4).to_be_bytes());
        let body = whole.slice(if version == 4 { 8.. } else { 9.. });
        let read: FetchResponse = decode_body(body, version).expect("our own body");
        assert_eq!(read, response);
    }
}

#[test]
fn a_frame_length_is_believed_within_bounds() {
    let length = |length: i32| request_length(length.to_be_bytes(), 1000);
    assert_eq!(length(10), Ok(10));
    assert_eq!(length(1000), Ok(1000));
    assert_eq!(
        length(1001),
        Err(FrameError::TooLong {
            bytes: 1001,
            bytes_max: 1000
        })
    );
    for bytes in [9, 0, -1, i32::MIN] {
        assert_eq!(length(bytes), Err(FrameError::TooShort { bytes }));
    }
}

#[test]
fn an_unknown_api_has_no_layout_to_answer_in() {
    let error = RequestHeader::decode(&mut reader(&[0, 4, 0, 1, 0, 0, 0, 0, 0, 0])).err();
    assert_eq!(
        error,
        Some(HeaderError::UnknownApi {
            api_key: 4,
            api_version: 1
        })
    );
}

#[test]
fn a_header_of_a_version_to_come_is_read() {
    let bytes = [0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0];
    let header = RequestHeader::decode(&mut reader(&bytes)).expect("the header is flexible");
    assert_eq!(
        (header.api_key, header.correlation_id),
        (ApiKey::ApiVersions, 7)
    );
    assert!(!header.is_decodable());
}

#[test]
fn produce_is_advertised_from_0_and_decoded_from_3() {
    let (_, produce) = advertised().next().expect("Produce is the first API");
    assert_eq!((produce.first, produce.last), (0, 13));
    assert!(!header(ApiKey::Produce, 2).is_decodable());
    assert!(header(ApiKey::Produce, 3).is_decodable());
}

#[test]
fn varints_end_within_32_bits() {
    for (bytes, expected) in [
        (&[0x00][..], Ok(0)),
        (&[0x7f], Ok(127)),
        (&[0x80, 0x01], Ok(128)),
        (&[0xff, 0xff, 0xff, 0xff, 0x0f], Ok(u32::MAX)),
        (
            &[0xff, 0xff, 0xff, 0xff, 0x1f],
            Err(DecodeError::InvalidVarint),
        ),
        (
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
            Err(DecodeError::InvalidVarint),
        ),
        (
            &[0x80],
            Err(DecodeError::Truncated {
                wanted: 1,
                remaining: 0,
            }),
        ),
    ] {
        assert_eq!(reader(bytes).unsigned_varint(), expected, "{bytes:?}");
    }
}

#[test]
fn tagged_fields_are_bounded_in_number_and_size() {
    let mut fields = vec![
        RawTaggedField {
            tag: 9,
            value: Bytes::new()
        };
        TAGGED_FIELDS_MAX
    ];
    assert_eq!(tagged_again(&fields), Ok(fields.clone()));
    fields.push(RawTaggedField {
        tag: 10,
        value: Bytes::new(),
    });
    let count = fields.len();
    assert_eq!(
        tagged_again(&fields),
        Err(DecodeError::TooManyTaggedFields { count })
    );

    let value = Bytes::from(vec![0; TAGGED_FIELD_BYTES_MAX + 1]);
    let mut field = RawTaggedField { tag: 3, value };
    let error = DecodeError::TaggedFieldTooLong {
        tag: 3,
        bytes: field.value.len(),
    };
    assert_eq!(tagged_again(&[field.clone()]), Err(error));
    field.value.truncate(TAGGED_FIELD_BYTES_MAX);
    assert_eq!(tagged_again(&[field.clone()]), Ok(vec![field]));
}

fn tagged_again(fields: &[RawTaggedField]) -> Result<Vec<RawTaggedField>, DecodeError> {
    let mut writer = Writer::new();
    writer.unknown_tagged_fields(true, fields);
    Reader::new(writer.into_bytes()).unknown_tagged_fields(true)
}

#[test]
fn a_known_tagged_field_must_fill_its_size() {
    // Tag 1 of an ApiVersions answer is eight bytes long.
    for size in [7, 9] {
        let mut bytes = vec![0, 0, 1, 0, 0, 0, 0, 1, 1, size];
        bytes.extend(vec![0; usize::from(size)]);
        let read =
            super::messages::api_versions::ApiVersionsResponse::decode(&mut reader(&bytes), 3);
        let error = match size {
            7 => DecodeError::Truncated {
                wanted: 8,
                remaining: 7,
            },
            _ => DecodeError::TaggedFieldLength { tag: 1 },
        };
        assert_eq!(read, Err(error));
    }
}

#[test]
fn tagged_fields_leave_in_order_of_tag() {
    let field = |tag| RawTaggedField {
        tag,
        value: Bytes::new(),
    };
    let mut writer = Writer::new();
    writer.tagged_fields(&[field(4)], &[field(1), field(9)]);
    assert_eq!(writer.into_bytes()[..], [3, 1, 0, 4, 0, 9, 0]);
}

#[test]
fn a_string_beyond_the_limit_is_cut_between_letters() {
    let mut writer = Writer::new();
    writer.string(false, &"é".repeat(20_000));
    let text = Reader::new(writer.into_bytes())
        .string(false)
        .expect("a string within the limit");
    assert_eq!(text.len(), 32_766);
}

#[test]
fn null_goes_out_as_empty_where_a_version_knows_no_null() {
    let topic = super::messages::metadata::MetadataResponseTopic {
        name: None,
        ..Default::default()
    };
    let response = MetadataResponse {
        topics: vec![topic],
        ..Default::default()
    };
    for (version, name) in [(11, Some(String::new())), (12, None)] {
        let frame = response_frame(ApiKey::Metadata, version, 0, &response);
        let read: MetadataResponse = decode_body(frame.slice(9..), version).expect("our own body");
        assert_eq!(read.topics[0].name, name);
    }
}

#[test]
fn a_count_is_not_believed_before_the_bytes_are_there() {
    let error =
        decode_body::<DeleteGroupsRequest>(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff]), 1);
    let wanted = 0x7fff_ffff;
    assert_eq!(
        error,
        Err(DecodeError::Truncated {
            wanted,
            remaining: 0
        })
    );
}

#[test]
fn small_answers_share_memory_and_a_large_one_leaves_none_behind() {
    let mut memory = FrameMemory::default();
    let mut answer = |name: String| {
        let response = ProduceResponse {
            responses: [TopicProduceResponse {
                name: name.into(),
                ..TopicProduceResponse::default()
            }]
            .into(),
            ..ProduceResponse::default()
        };
        let frame = memory.response_frame(ApiKey::Produce, 9, 5, &response);
        assert_eq!(frame, response_frame(ApiKey::Produce, 9, 5, &response));
        frame
    };
    let (first, second) = (answer("a".into()), answer("b".into()));
    assert_eq!(first.as_ptr_range().end, second.as_ptr());
    let large = answer("l".repeat(30_000));
    let next = answer("n".into());
    assert!(!large.as_ptr_range().contains(&next.as_ptr()));
    assert_ne!(large.as_ptr_range().end, next.as_ptr());
}
