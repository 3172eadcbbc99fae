//! Bytes of a frame to a request, an answer to bytes.

use super::batch::{BYTES_100, batch};
use super::stage::{Work, each};
use bytes::Bytes;
use ottla::wire::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData,
    RecordPieces,
};
use ottla::wire::frame::{FRAME_LENGTH_BYTES, FrameMemory, request_frame, response_pieces};
use ottla::wire::header::RequestHeader;
use ottla::wire::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData, TopicProduceResponse,
};
use ottla::wire::{ApiKey, Decode, Encode, Reader, decode_request};

/// The highest that names topics by name, as most clients still do.
const VERSION: i16 = 12;
const TOPIC: &str = "orders";

pub(crate) fn decode_produce() -> Box<dyn Work> {
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: [TopicProduceData {
            name: TOPIC.into(),
            partition_data: [PartitionProduceData {
                records: Some(batch(1, BYTES_100)),
                ..PartitionProduceData::default()
            }]
            .into(),
            ..TopicProduceData::default()
        }]
        .into(),
        ..ProduceRequest::default()
    };
    each(
        frame(ApiKey::Produce, &request),
        decode::<ProduceRequest>(ApiKey::Produce),
    )
}

pub(crate) fn decode_fetch() -> Box<dyn Work> {
    let request = FetchRequest {
        replica_id: -1,
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 50 << 20,
        topics: vec![FetchTopic {
            topic: TOPIC.into(),
            partitions: vec![FetchPartition {
                fetch_offset: 1_000,
                partition_max_bytes: 1 << 20,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    each(
        frame(ApiKey::Fetch, &request),
        decode::<FetchRequest>(ApiKey::Fetch),
    )
}

pub(crate) fn encode_produced() -> Box<dyn Work> {
    let response = ProduceResponse {
        responses: [TopicProduceResponse {
            name: TOPIC.into(),
            partition_responses: [PartitionProduceResponse {
                base_offset: 1_000,
                log_start_offset: 0,
                ..PartitionProduceResponse::default()
            }]
            .into(),
            ..TopicProduceResponse::default()
        }]
        .into(),
        ..ProduceResponse::default()
    };
    let mut memory = FrameMemory::default();
    each((), move |()| {
        memory.response_frame(ApiKey::Produce, VERSION, 7, &response)
    })
}

pub(crate) fn encode_fetched() -> Box<dyn Work> {
    let response = FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic: TOPIC.into(),
            partitions: vec![PartitionData {
                high_watermark: 1_016,
                last_stable_offset: 1_016,
                log_start_offset: 0,
                aborted_transactions: None,
                records: Some(RecordPieces(vec![batch(16, 1024)])),
                ..PartitionData::default()
            }],
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    };
    each((), move |()| {
        response_pieces(ApiKey::Fetch, VERSION, 7, &response)
    })
}

/// As it lies in memory once its length was read.
fn frame(api_key: ApiKey, body: &impl Encode) -> Bytes {
    let header = RequestHeader {
        api_key,
        api_version: VERSION,
        correlation_id: 7,
        client_id: Some("producer-1".into()),
        unknown_tagged_fields: Vec::new(),
    };
    request_frame(&header, body).slice(FRAME_LENGTH_BYTES..)
}

fn decode<T: Decode>(api_key: ApiKey) -> impl FnMut(Bytes) -> (RequestHeader, (T, usize)) {
    move |frame| {
        let mut reader = Reader::new(frame);
        let header = RequestHeader::decode(&mut reader).expect("a header");
        assert_eq!(header.api_key, api_key);
        let body = decode_request(reader.into_rest(), header.api_version);
        (header, body.expect("a request"))
    }
}
