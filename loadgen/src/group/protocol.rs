//! The bytes inside JoinGroup and SyncGroup that only members read: subscriptions and assignments, version 0.

use bytes::Bytes;
use ottla::wire::{DecodeError, Reader, Writer};
use std::collections::BTreeMap;

pub(crate) const PROTOCOL_TYPE: &str = "consumer";
pub(crate) const PROTOCOL_NAME: &str = "roundrobin";

pub(crate) fn subscription(topic: &str) -> Bytes {
    let mut writer = Writer::new();
    writer.int16(0);
    writer.array(false, &[topic], |writer, topic| writer.string(false, topic));
    // No user data.
    writer.int32(-1);
    writer.into_bytes()
}

pub(crate) fn assignment(topic: &str, partitions: &[i32]) -> Bytes {
    let mut writer = Writer::new();
    writer.int16(0);
    writer.array(false, &[topic], |writer, topic| {
        writer.string(false, topic);
        writer.array(false, partitions, |writer, partition| {
            writer.int32(*partition)
        });
    });
    writer.int32(-1);
    writer.into_bytes()
}

/// The partitions in an assignment; an empty one has none.
pub(crate) fn assigned(bytes: Bytes) -> Result<Vec<usize>, DecodeError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::of_answer(bytes);
    reader.int16()?;
    let topics = reader.array(false, 6, |reader| {
        reader.string(false)?;
        reader.array(false, 4, Reader::int32)
    })?;
    Ok(topics
        .into_iter()
        .flatten()
        .map(|partition| partition as usize)
        .collect())
}

/// What the leader hands out: partitions in turn.
pub(crate) fn shares(members: &[String], partitions: usize) -> BTreeMap<&str, Vec<i32>> {
    let mut shares: BTreeMap<&str, Vec<i32>> = members
        .iter()
        .map(|member| (member.as_str(), Vec::new()))
        .collect();
    for partition in 0..partitions {
        let member = members[partition % members.len()].as_str();
        shares
            .get_mut(member)
            .expect("every member has a share")
            .push(partition as i32);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_as_it_was_written() {
        assert_eq!(assigned(assignment("t", &[3, 0])), Ok(vec![3, 0]));
        assert_eq!(assigned(Bytes::new()), Ok(Vec::new()));
        let members = ["a".to_owned(), "b".to_owned()];
        let shares = shares(&members, 3);
        assert_eq!((&shares["a"], &shares["b"]), (&vec![0, 2], &vec![1]));
    }
}
