//! DescribeProducers 0: the idempotent producers that a partition remembers and that have not expired. There are no
//! transactions, so nobody has one open. Of very many producers only the first partitions are described.

use super::by_shard::{ByShard, results_of};
use super::topics;
use crate::base::ids::PartitionId;
use crate::control::{Image, names};
use crate::server::call::Call;
use crate::server::errors::{self, Refusal};
use crate::server::reply_queue::Dispatched;
use crate::shard::request::{ActiveProducer, ProducersError, Request};
use crate::wire::ErrorCode;
use crate::wire::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicResponse,
};

/// No transaction coordinator has written here.
const COORDINATOR_EPOCH_NONE: i32 = -1;

results_of!(
    found,
    Producers,
    Result<Vec<ActiveProducer>, ProducersError>
);

pub(in crate::server) fn handle(call: Call, request: DescribeProducersRequest) -> Dispatched {
    let image = call.image();
    let mut wanted = ByShard::new();
    let mut response = DescribeProducersResponse::default();
    for (topic_place, topic) in request.topics.into_iter().enumerate() {
        let mut answer = TopicResponse {
            name: topic.name,
            ..TopicResponse::default()
        };
        for (place, &partition_index) in topic.partition_indexes.iter().enumerate() {
            let mut partition = PartitionResponse {
                partition_index,
                ..PartitionResponse::default()
            };
            match find(&image, &answer.name, partition_index) {
                Ok(id) => wanted.push(call.server.handle.owner(id), id, (topic_place, place)),
                Err(refusal) => refuse(&call, &mut partition, refusal),
            }
            answer.partitions.push(partition);
        }
        response.topics.push(answer);
    }
    let sent = wanted.send(&call.server.handle, Request::Producers);
    let answering = call.clone();
    call.later(async move {
        sent.collect(found, |(topic, place): (usize, usize), result| {
            let partition = &mut response.topics[topic].partitions[place];
            match result {
                Ok(Ok(producers)) => {
                    partition.active_producers = producers.into_iter().map(state).collect();
                }
                Ok(Err(error)) => refuse(&answering, partition, errors::producers(error)),
                Err(unanswered) => {
                    partition.error_code = answering.code(errors::unanswered_read(unanswered));
                }
            }
        })
        .await;
        response
    })
}

fn find(image: &Image, name: &str, index: i32) -> Result<PartitionId, Refusal> {
    names::check_form(name).map_err(|problem| errors::control(&problem.into()))?;
    let unknown = "This server does not host this topic-partition.";
    image
        .topic(name)
        .ok_or(ErrorCode::UnknownTopicOrPartition)
        .and_then(|topic| topics::partition(topic, index))
        .map_err(|code| Refusal::new(code, unknown))
}

fn refuse(call: &Call, partition: &mut PartitionResponse, refusal: Refusal) {
    partition.error_code = call.code(refusal.code);
    partition.error_message = Some(refusal.message);
}

fn state(producer: ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.id.0,
        producer_epoch: i32::from(producer.epoch.0),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp.0,
        coordinator_epoch: COORDINATOR_EPOCH_NONE,
        ..ProducerState::default()
    }
}
