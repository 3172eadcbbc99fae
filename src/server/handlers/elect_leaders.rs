//! ElectLeaders 0-2. The one broker leads every partition, so no election is ever needed; partitions are looked up all
//! the same. Asking for all partitions names those that needed one: none.

use crate::control::Image;
use crate::server::call::Call;
use crate::server::errors::Refusal;
use crate::server::reply_queue::Dispatched;
use crate::wire::ErrorCode;
use crate::wire::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
    TopicPartitions,
};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

pub(in crate::server) fn handle(call: Call, request: ElectLeadersRequest) -> Dispatched {
    let image = call.image();
    let unknown = !matches!(request.election_type, PREFERRED | UNCLEAN);
    let result = |topic: String, partition_result| ReplicaElectionResult {
        topic,
        partition_result,
        ..ReplicaElectionResult::default()
    };
    let results = match request.topic_partitions {
        None if unknown => Vec::new(),
        None => {
            let topics = image.topics();
            let none = topics.map(|topic| result(topic.name.to_string(), Vec::new()));
            none.collect()
        }
        Some(topics) => {
            let of_topic = |topic: TopicPartitions| {
                let refusal = |&partition: &i32| match unknown {
                    true => unknown_type(request.election_type),
                    false => refusal(&image, &topic.topic, partition),
                };
                let partitions = topic.partitions.iter();
                let refused = partitions.map(|index| partition(&call, *index, refusal(index)));
                let refused = refused.collect();
                result(topic.topic, refused)
            };
            topics.into_iter().map(of_topic).collect()
        }
    };
    call.ready(&ElectLeadersResponse {
        error_code: match unknown {
            true => call.code(ErrorCode::InvalidRequest),
            false => 0,
        },
        replica_election_results: results,
        ..ElectLeadersResponse::default()
    })
}

fn partition(call: &Call, index: i32, refusal: Refusal) -> PartitionResult {
    PartitionResult {
        partition_id: index,
        error_code: call.code(refusal.code),
        error_message: Some(refusal.message),
        ..PartitionResult::default()
    }
}

fn unknown_type(election_type: i8) -> Refusal {
    let message = format!("Unknown election type {election_type}");
    Refusal::new(ErrorCode::InvalidRequest, message)
}

fn refusal(image: &Image, name: &str, partition: i32) -> Refusal {
    let unknown = |message| Refusal::new(ErrorCode::UnknownTopicOrPartition, message);
    match image.topic(name) {
        None => unknown(format!("No such topic as {name}")),
        Some(topic) if !topic.has_partition(partition) => {
            unknown(format!("No such partition as {name}-{partition}"))
        }
        Some(_) => Refusal::new(
            ErrorCode::ElectionNotNeeded,
            "Leader election not needed for topic partition.",
        ),
    }
}
