//! The few questions the sink answers.

use super::store::{Refusal, Store};
use bytes::Bytes;
use ottla::base::ids::Uuid;
use ottla::wire::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData, RecordPieces,
};
use ottla::wire::frame::response_pieces;
use ottla::wire::header::RequestHeader;
use ottla::wire::messages as m;
use ottla::wire::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use ottla::wire::{ApiKey, Decode, Encode, ErrorCode, Reader};

const NODE: i32 = 1;
/// What it speaks; the last versions that name topics by name.
const VERSIONS: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 12),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 8),
    (ApiKey::Metadata, 1, 12),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::InitProducerId, 0, 4),
];

pub(crate) struct Sink {
    pub(crate) store: Store,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) next_producer: i64,
}

/// What a request leads to.
pub(crate) enum Reply {
    Answer(Vec<Bytes>),
    /// A produce request that wants no answer.
    Nothing,
    /// A fetch that found too little, and how long it may wait.
    Wait {
        fetch: Box<Fetching>,
        wait_ms: u64,
    },
    /// Not a request of ours: the connection is closed.
    Refuse,
}

#[derive(Clone)]
pub(crate) struct Fetching {
    header: RequestHeader,
    request: FetchRequest,
}

impl Sink {
    pub(crate) fn handle(&mut self, frame: Bytes) -> Reply {
        let mut reader = Reader::new(frame);
        let Ok(header) = RequestHeader::decode(&mut reader) else {
            return Reply::Refuse;
        };
        let (key, version) = (header.api_key, header.api_version);
        let spoken = VERSIONS
            .iter()
            .any(|&(k, first, last)| k == key && (first..=last).contains(&version));
        if !spoken {
            return match key {
                ApiKey::ApiVersions => self.versions(&header, ErrorCode::UnsupportedVersion, 0),
                _ => Reply::Refuse,
            };
        }
        match key {
            ApiKey::Produce => self.produce(&header, &mut reader),
            ApiKey::Fetch => match FetchRequest::decode(&mut reader, version) {
                Ok(request) => self.fetch(Fetching { header, request }, false),
                Err(_) => Reply::Refuse,
            },
            ApiKey::ListOffsets => self.list_offsets(&header, &mut reader),
            ApiKey::Metadata => self.metadata(&header, &mut reader),
            ApiKey::ApiVersions => self.versions(&header, ErrorCode::None, version),
            ApiKey::CreateTopics => self.create_topics(&header, &mut reader),
            ApiKey::InitProducerId => self.init_producer_id(&header),
            _ => Reply::Refuse,
        }
    }

    fn produce(&mut self, header: &RequestHeader, reader: &mut Reader) -> Reply {
        let Ok(request) = ProduceRequest::decode(reader, header.api_version) else {
            return Reply::Refuse;
        };
        let responses = request.topic_data.into_iter().map(|topic| {
            let name = topic.name;
            let partitions = topic.partition_data.into_iter().map(|data| {
                let batch = data.records.unwrap_or_default();
                let appended = self.store.append(&name, data.index, batch);
                PartitionProduceResponse {
                    index: data.index,
                    error_code: appended.err().map_or(ErrorCode::None, error_code).code(),
                    base_offset: appended.unwrap_or(-1),
                    ..PartitionProduceResponse::default()
                }
            });
            let partition_responses = partitions.collect();
            TopicProduceResponse {
                name,
                partition_responses,
                ..TopicProduceResponse::default()
            }
        });
        let response = ProduceResponse {
            responses: responses.collect(),
            ..ProduceResponse::default()
        };
        match request.acks {
            0 => Reply::Nothing,
            _ => answer(header, &response),
        }
    }

    /// `last` answers with whatever there is.
    pub(crate) fn fetch(&self, fetching: Fetching, last: bool) -> Reply {
        let request = &fetching.request;
        let mut left = request.max_bytes.max(0) as usize;
        let (mut found, mut refused) = (0, false);
        let responses = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|wanted| {
                let name = &topic.topic;
                let ends = self.store.ends(name, wanted.partition);
                let Some(ends) = ends else {
                    refused = true;
                    return unavailable(wanted.partition, ErrorCode::UnknownTopicOrPartition);
                };
                if !(ends.start..=ends.end).contains(&wanted.fetch_offset) {
                    refused = true;
                    return unavailable(wanted.partition, ErrorCode::OffsetOutOfRange);
                }
                let most = left.min(wanted.partition_max_bytes.max(0) as usize);
                let pieces = match left {
                    0 => Vec::new(),
                    _ => self
                        .store
                        .read(name, wanted.partition, wanted.fetch_offset, most),
                };
                let bytes = pieces.iter().map(Bytes::len).sum::<usize>();
                left = left.saturating_sub(bytes);
                found += bytes;
                PartitionData {
                    partition_index: wanted.partition,
                    high_watermark: ends.end,
                    last_stable_offset: ends.end,
                    log_start_offset: ends.start,
                    aborted_transactions: None,
                    records: Some(RecordPieces(pieces)),
                    ..PartitionData::default()
                }
            });
            FetchableTopicResponse {
                topic: topic.topic.clone(),
                partitions: partitions.collect(),
                ..FetchableTopicResponse::default()
            }
        });
        let response = FetchResponse {
            responses: responses.collect(),
            ..FetchResponse::default()
        };
        let enough = found >= request.min_bytes.max(0) as usize || refused;
        let wait_ms = request.max_wait_ms.max(0) as u64;
        match enough || last || wait_ms == 0 {
            true => answer(&fetching.header, &response),
            false => Reply::Wait {
                fetch: Box::new(fetching),
                wait_ms,
            },
        }
    }

    fn list_offsets(&self, header: &RequestHeader, reader: &mut Reader) -> Reply {
        let request = m::list_offsets::ListOffsetsRequest::decode(reader, header.api_version);
        let Ok(request) = request else {
            return Reply::Refuse;
        };
        use m::list_offsets::{
            ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
        };
        let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|wanted| {
                    let ends = self.store.ends(&topic.name, wanted.partition_index);
                    ListOffsetsPartitionResponse {
                        partition_index: wanted.partition_index,
                        error_code: match ends {
                            Some(_) => ErrorCode::None.code(),
                            None => ErrorCode::UnknownTopicOrPartition.code(),
                        },
                        offset: ends.map_or(-1, |ends| match wanted.timestamp {
                            -2 => ends.start,
                            _ => ends.end,
                        }),
                        ..ListOffsetsPartitionResponse::default()
                    }
                })
                .collect(),
            ..ListOffsetsTopicResponse::default()
        });
        answer(
            header,
            &ListOffsetsResponse {
                topics: topics.collect(),
                ..ListOffsetsResponse::default()
            },
        )
    }

    fn metadata(&self, header: &RequestHeader, reader: &mut Reader) -> Reply {
        let request = m::metadata::MetadataRequest::decode(reader, header.api_version);
        let Ok(request) = request else {
            return Reply::Refuse;
        };
        let names: Vec<String> = match request.topics {
            Some(topics) => topics.into_iter().filter_map(|topic| topic.name).collect(),
            None => self.store.topics().map(str::to_owned).collect(),
        };
        use m::metadata::{MetadataResponse, MetadataResponseBroker};
        answer(
            header,
            &MetadataResponse {
                brokers: vec![MetadataResponseBroker {
                    node_id: NODE,
                    host: self.host.clone(),
                    port: i32::from(self.port),
                    ..MetadataResponseBroker::default()
                }],
                cluster_id: Some("sink".into()),
                controller_id: NODE,
                topics: names
                    .into_iter()
                    .map(|name| self.topic_metadata(name))
                    .collect(),
                ..MetadataResponse::default()
            },
        )
    }

    fn topic_metadata(&self, name: String) -> m::metadata::MetadataResponseTopic {
        use m::metadata::{MetadataResponsePartition, MetadataResponseTopic};
        let partitions = self.store.partitions(&name);
        let code = match partitions {
            Some(_) => ErrorCode::None,
            None => ErrorCode::UnknownTopicOrPartition,
        };
        let partitions = (0..partitions.unwrap_or(0)).map(|index| MetadataResponsePartition {
            partition_index: index as i32,
            leader_id: NODE,
            replica_nodes: vec![NODE],
            isr_nodes: vec![NODE],
            ..MetadataResponsePartition::default()
        });
        MetadataResponseTopic {
            error_code: code.code(),
            name: Some(name),
            topic_id: Uuid::ZERO,
            partitions: partitions.collect(),
            ..MetadataResponseTopic::default()
        }
    }

    fn create_topics(&mut self, header: &RequestHeader, reader: &mut Reader) -> Reply {
        let request = m::create_topics::CreateTopicsRequest::decode(reader, header.api_version);
        let Ok(request) = request else {
            return Reply::Refuse;
        };
        use m::create_topics::{CreatableTopicResult, CreateTopicsResponse};
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.num_partitions.clamp(1, 100_000) as usize;
            let code = match self.store.create(&topic.name, partitions) {
                true => ErrorCode::None,
                false => ErrorCode::TopicAlreadyExists,
            };
            CreatableTopicResult {
                name: topic.name,
                error_code: code.code(),
                ..CreatableTopicResult::default()
            }
        });
        let topics = topics.collect();
        answer(
            header,
            &CreateTopicsResponse {
                topics,
                ..CreateTopicsResponse::default()
            },
        )
    }

    fn init_producer_id(&mut self, header: &RequestHeader) -> Reply {
        self.next_producer += 1;
        answer(
            header,
            &m::init_producer_id::InitProducerIdResponse {
                producer_id: self.next_producer,
                ..Default::default()
            },
        )
    }

    fn versions(&self, header: &RequestHeader, code: ErrorCode, version: i16) -> Reply {
        use m::api_versions::{ApiVersion, ApiVersionsResponse};
        let rows = VERSIONS.iter().map(|&(key, first, last)| ApiVersion {
            api_key: key.number(),
            min_version: first,
            max_version: last,
            ..ApiVersion::default()
        });
        let response = ApiVersionsResponse {
            error_code: code.code(),
            api_keys: rows.collect(),
            ..ApiVersionsResponse::default()
        };
        let correlation = header.correlation_id;
        Reply::Answer(response_pieces(
            ApiKey::ApiVersions,
            version,
            correlation,
            &response,
        ))
    }
}

fn answer(header: &RequestHeader, body: &impl Encode) -> Reply {
    let (key, version) = (header.api_key, header.api_version);
    Reply::Answer(response_pieces(key, version, header.correlation_id, body))
}

fn unavailable(partition_index: i32, code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code: code.code(),
        high_watermark: -1,
        aborted_transactions: None,
        records: None,
        ..PartitionData::default()
    }
}

fn error_code(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::NoSuchPartition => ErrorCode::UnknownTopicOrPartition,
        Refusal::NoBatch => ErrorCode::CorruptMessage,
        Refusal::Full => ErrorCode::KafkaStorageError,
    }
}
