//! Requests that read records, offsets and metadata.

use ottla::base::ids::Uuid;
use ottla::wire::messages::*;

use super::Fate::{Error, Valid};
use super::{Cases, EPOCH_BEYOND, NOWHERE, NOWHERE_ID, PARTITION_BEYOND, bad_names};

impl Cases<'_> {
    pub(super) fn fetch(&mut self) {
        use fetch::*;
        fn part(request: &mut FetchRequest) -> &mut FetchPartition {
            &mut request.topics[0].partitions[0]
        }
        let [known, unknown] = self.topics(13);
        let partition = FetchPartition {
            partition_max_bytes: 1 << 20,
            ..Default::default()
        };
        let topic = FetchTopic {
            partitions: vec![partition],
            ..Default::default()
        };
        let mut good = FetchRequest {
            min_bytes: 1,
            topics: vec![topic],
            ..Default::default()
        };
        (good.topics[0].topic, good.topics[0].topic_id) = known;
        self.add(Valid, "from the start", &good);
        self.add(Valid, "nothing", &FetchRequest::default());
        self.changed(Valid, "committed", &good, |request| {
            request.isolation_level = 1
        });
        self.changed(Valid, "no bytes wanted", &good, |request| {
            request.max_bytes = 0
        });
        self.changed(Valid, "too many bytes wanted", &good, |request| {
            request.min_bytes = i32::MAX
        });
        self.changed(Valid, "fewer than no bytes wanted", &good, |request| {
            part(request).partition_max_bytes = -1;
        });
        self.changed(Error, "unknown topic", &good, |request| {
            (request.topics[0].topic, request.topics[0].topic_id) = unknown;
        });
        for index in [-1, PARTITION_BEYOND, i32::MIN] {
            let what = format!("partition {index}");
            self.changed(Error, what, &good, |request| {
                part(request).partition = index
            });
        }
        for offset in [-1, i64::MIN, i64::MAX, 1 << 50] {
            let what = format!("offset {offset}");
            self.changed(Error, what, &good, |request| {
                part(request).fetch_offset = offset
            });
        }
        if self.version >= 7 {
            self.changed(Error, "a session of nobody", &good, |request| {
                (request.session_id, request.session_epoch) = (77, 5);
            });
        }
        if self.version >= 9 {
            self.changed(Error, "an epoch to come", &good, |request| {
                part(request).current_leader_epoch = EPOCH_BEYOND;
            });
        }
        self.changed(Error, "a replica's fetch", &good, |request| {
            (request.replica_id, request.replica_state.replica_id) = (3, 3);
        });
    }

    pub(super) fn list_offsets(&mut self) {
        use list_offsets::*;
        const NEVER: i16 = i16::MAX;
        fn part(request: &mut ListOffsetsRequest) -> &mut ListOffsetsPartition {
            &mut request.topics[0].partitions[0]
        }
        let nothing = ListOffsetsRequest {
            replica_id: -1,
            ..Default::default()
        };
        let partition = ListOffsetsPartition {
            timestamp: -1,
            ..Default::default()
        };
        let mut good = nothing.clone();
        good.topics.push(ListOffsetsTopic {
            name: self.world.topic.clone(),
            partitions: vec![partition],
            ..Default::default()
        });
        self.add(Valid, "nothing", &nothing);
        for (timestamp, from) in [
            (0, 1),
            (i64::MAX, 1),
            (-1, 1),
            (-2, 1),
            (-3, 7),
            (-4, 8),
            (-5, 9),
            (-7, NEVER),
            (i64::MIN, NEVER),
        ] {
            let fate = if self.version >= from { Valid } else { Error };
            let what = format!("timestamp {timestamp}");
            self.changed(fate, what, &good, |request| {
                part(request).timestamp = timestamp
            });
        }
        for name in [NOWHERE, ""] {
            let what = format!("topic {name:?}");
            self.changed(Error, what, &good, |request| {
                request.topics[0].name = name.to_owned()
            });
        }
        for index in [-1, PARTITION_BEYOND, i32::MIN] {
            let what = format!("partition {index}");
            self.changed(Error, what, &good, |request| {
                part(request).partition_index = index
            });
        }
        self.changed(Error, "a partition twice", &good, |request| {
            let again = part(request).clone();
            request.topics[0].partitions.push(again);
        });
        if self.version >= 4 {
            self.changed(Error, "an epoch to come", &good, |request| {
                part(request).current_leader_epoch = EPOCH_BEYOND;
            });
        }
    }

    pub(super) fn metadata(&mut self) {
        use metadata::*;
        let request = |name: Option<&str>, topic_id| MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: name.map(str::to_owned),
                topic_id,
                ..Default::default()
            }]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let known = self.world.topic.clone();
        self.add(Valid, "the topic", &request(Some(&known), Uuid::ZERO));
        let topics = Some(Vec::new());
        self.add(
            Valid,
            "an empty list",
            &MetadataRequest {
                topics,
                ..Default::default()
            },
        );
        if self.version >= 1 {
            self.add(
                Valid,
                "null",
                &MetadataRequest {
                    topics: None,
                    ..Default::default()
                },
            );
        }
        if self.version >= 8 {
            let mut request = request(Some(&known), Uuid::ZERO);
            request.include_topic_authorized_operations = true;
            request.include_cluster_authorized_operations = true;
            self.add(Valid, "operations", &request);
        }
        // An older request creates what it names, which would make the next one valid.
        if self.version >= 4 {
            self.add(Error, "unknown topic", &request(Some(NOWHERE), Uuid::ZERO));
        }
        for (what, name) in bad_names() {
            self.add(Error, what, &request(Some(&name), Uuid::ZERO));
        }
        if self.version >= 10 {
            self.add(Error, "neither name nor id", &request(None, Uuid::ZERO));
            self.add(Error, "an id of nobody", &request(None, NOWHERE_ID));
            let fate = if self.version >= 12 { Valid } else { Error };
            self.add(fate, "by id", &request(None, self.world.topic_id));
        }
    }

    pub(super) fn offset_for_leader_epoch(&mut self) {
        use offset_for_leader_epoch::*;
        let request = |topic: &str, partition, current_leader_epoch, leader_epoch| {
            let partition = OffsetForLeaderPartition {
                partition,
                current_leader_epoch,
                leader_epoch,
                ..Default::default()
            };
            let topic = OffsetForLeaderTopic {
                topic: topic.to_owned(),
                partitions: vec![partition],
                ..Default::default()
            };
            OffsetForLeaderEpochRequest {
                replica_id: -1,
                topics: vec![topic],
                ..Default::default()
            }
        };
        let known = self.world.topic.clone();
        self.add(Valid, "the first epoch", &request(&known, 0, -1, 0));
        self.add(
            Valid,
            "no such epoch",
            &request(&known, 0, -1, EPOCH_BEYOND),
        );
        let nothing = OffsetForLeaderEpochRequest {
            replica_id: -1,
            ..Default::default()
        };
        self.add(Valid, "nothing", &nothing);
        self.add(Error, "unknown topic", &request(NOWHERE, 0, -1, 0));
        self.add(Error, "topic without a name", &request("", 0, -1, 0));
        self.add(
            Error,
            "an epoch to come",
            &request(&known, 0, EPOCH_BEYOND, 0),
        );
        for partition in [-1, PARTITION_BEYOND, i32::MIN] {
            self.add(
                Error,
                format!("partition {partition}"),
                &request(&known, partition, -1, 0),
            );
        }
    }
}
