//! Each version of each API with everything that the hostile tests ask of it.

use ottla::base::ids::Uuid;
use ottla::wire::ApiKey;
use ottla::wire::version::advertised;
use requests::cases;

use super::build::Topic;
use crate::session::Session;

#[path = "../../fuzz/requests.rs"]
mod requests;

/// Cases that are left out. Kafka neither answers null records nor closes the connection, writes what names a
/// transactional id without being transactional (after which nothing is alike), takes a member that tells much of itself
/// (likewise), and its controller resigns for seconds over the others.
const LEFT_OUT: &[(ApiKey, &str)] = &[
    (ApiKey::Produce, "no records"),
    (ApiKey::Produce, "acks 0 without records"),
    (ApiKey::Produce, "transactional id"),
    (ApiKey::JoinGroup, "a long story"),
    (ApiKey::CreatePartitions, "2147483647 partitions"),
    (ApiKey::IncrementalAlterConfigs, "operation -1"),
    (ApiKey::IncrementalAlterConfigs, "operation 4"),
];

/// What the requests know of the broker.
struct World {
    topic: String,
    topic_id: Uuid,
    partitions: i32,
}

/// The fate that a case has by its author; here Kafka decides.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Valid,
    Error,
    Close,
}

pub(super) fn every_case(session: &Session) {
    let mut client = session.client();
    let Topic {
        name: topic,
        id: topic_id,
    } = client.topic("known", 2, &[]);
    let world = World {
        topic,
        topic_id,
        partitions: 2,
    };
    for (api, _) in advertised() {
        let version = client.version(api);
        let cases = cases(api, version, &world).into_iter();
        for case in cases.filter(|case| !LEFT_OUT.contains(&(api, &case.what))) {
            let is_answered = api != ApiKey::Produce || case.fate != Fate::Close;
            client.ask_raw(&case.what, api, version, &case.body, is_answered);
        }
    }
}
