//! What members of a consumer group tell each other through the coordinator, and how partitions are shared out.
//!
//! Subscription and assignment are Kafka's `ConsumerProtocol`, version 0, which later versions only append to:
//! version i16, topics with names (and, assigned, their partitions), user data.

use crate::client::Place;
use bytes::Bytes;
use ottla::wire::{DecodeError, Reader, Writer};
use std::collections::BTreeMap;

/// The name under which Kafka's clients know the rule below.
pub(crate) const RANGE: &str = "range";
const VERSION: i16 = 0;

pub(crate) fn encode_subscription(topics: &[String]) -> Bytes {
    let mut writer = Writer::new();
    writer.int16(VERSION);
    writer.array(false, topics, |writer, topic| writer.string(false, topic));
    writer.nullable_bytes(false, None);
    writer.into_bytes()
}

pub(crate) fn decode_subscription(bytes: Bytes) -> Result<Vec<String>, DecodeError> {
    let mut reader = Reader::of_answer(bytes);
    reader.int16()?;
    reader.array(false, 2, |reader| reader.string(false))
}

pub(crate) fn encode_assignment(places: &[Place]) -> Bytes {
    let topics: Vec<(String, Vec<i32>)> = by_topic(places).into_iter().collect();
    let mut writer = Writer::new();
    writer.int16(VERSION);
    writer.array(false, &topics, |writer, (topic, partitions)| {
        writer.string(false, topic);
        writer.array(false, partitions, |writer, partition| {
            writer.int32(*partition)
        });
    });
    writer.nullable_bytes(false, None);
    writer.into_bytes()
}

/// Of no bytes: nothing, which is what a member has that no leader thought of.
pub(crate) fn decode_assignment(bytes: Bytes) -> Result<Vec<Place>, DecodeError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::of_answer(bytes);
    reader.int16()?;
    let topics = reader.array(false, 6, |reader| {
        let topic = reader.string(false)?;
        let partitions = reader.array(false, 4, Reader::int32)?;
        Ok((topic, partitions))
    })?;
    let places = topics.iter().flat_map(|(topic, partitions)| {
        partitions
            .iter()
            .map(|partition| Place::new(topic, *partition))
    });
    Ok(places.collect())
}

/// Partitions by topic, in order.
pub(crate) fn by_topic(places: &[Place]) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for place in places {
        topics
            .entry(place.topic.clone())
            .or_default()
            .push(place.partition);
    }
    topics
        .values_mut()
        .for_each(|partitions| partitions.sort_unstable());
    topics
}

/// Each topic's partitions in equal runs to the members that want it, in order of their ids; the first of them take
/// one more when it does not come out even. Each member has an entry.
pub(super) fn range(
    wishes: &BTreeMap<String, Vec<String>>,
    partitions: &BTreeMap<String, i32>,
) -> BTreeMap<String, Vec<Place>> {
    let mut shares: BTreeMap<String, Vec<Place>> = wishes
        .keys()
        .map(|member| (member.clone(), Vec::new()))
        .collect();
    for (topic, count) in partitions {
        let wanting = wishes.iter().filter(|(_, topics)| topics.contains(topic));
        let wanting: Vec<&String> = wanting.map(|(member, _)| member).collect();
        let mut rest = 0..*count;
        for (index, member) in wanting.iter().enumerate() {
            let share = (rest.len()).div_ceil(wanting.len() - index);
            let share = rest
                .by_ref()
                .take(share)
                .map(|partition| Place::new(topic, partition));
            shares
                .get_mut(*member)
                .expect("each member has an entry")
                .extend(share);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(list: &[(&str, i32)]) -> Vec<Place> {
        list.iter()
            .map(|(topic, partition)| Place::new(topic, *partition))
            .collect()
    }

    /// Bytes as a Java client writes them.
    #[test]
    fn subscription_and_assignment_are_kafkas_bytes() {
        let topics = vec!["t".to_owned()];
        let bytes = encode_subscription(&topics);
        assert_eq!(bytes[..], b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"[..]);
        assert_eq!(decode_subscription(bytes), Ok(topics.clone()));
        // Version 1 adds what is owned.
        let newer = Bytes::from_static(b"\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\0");
        assert_eq!(decode_subscription(newer), Ok(topics));
        let owned = places(&[("t", 0), ("t", 2)]);
        let bytes = encode_assignment(&owned);
        assert_eq!(
            bytes[..],
            b"\0\0\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x02\xff\xff\xff\xff"[..]
        );
        assert_eq!(decode_assignment(bytes), Ok(owned));
        assert_eq!(decode_assignment(Bytes::new()), Ok(Vec::new()));
        assert!(decode_assignment(Bytes::from_static(b"\0\0\x7f\xff\xff\xff")).is_err());
    }

    #[test]
    fn partitions_are_shared_in_runs() {
        let wish = |member: &str, topics: &[&str]| {
            (
                member.to_owned(),
                topics.iter().map(ToString::to_string).collect(),
            )
        };
        let wishes = BTreeMap::from([wish("a", &["t", "u"]), wish("b", &["t"]), wish("c", &["t"])]);
        let partitions = BTreeMap::from([
            ("t".to_owned(), 4),
            ("u".to_owned(), 1),
            ("v".to_owned(), 1),
        ]);
        let shares = range(&wishes, &partitions);
        assert_eq!(shares["a"], places(&[("t", 0), ("t", 1), ("u", 0)]));
        assert_eq!(shares["b"], places(&[("t", 2)]));
        assert_eq!(shares["c"], places(&[("t", 3)]));
        let one = BTreeMap::from([("t".to_owned(), 1)]);
        let shares = range(&wishes, &one);
        assert_eq!(
            (shares["a"].len(), shares["b"].len(), shares["c"].len()),
            (1, 0, 0)
        );
    }
}
