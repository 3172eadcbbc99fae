//! Topics as requests name them.

use crate::base::ids::{PartitionId, Uuid};
use crate::control::{Image, Topic};
use crate::wire::ErrorCode;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The first of each key: what a request names twice is answered once.
pub(super) fn once<T, K: Ord>(
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> K,
) -> impl Iterator<Item = T> {
    let mut seen = BTreeSet::new();
    items.filter(move |item| seen.insert(key(item)))
}

/// By name, or by id in the versions that have ids.
pub(super) fn find<'a>(
    image: &'a Image,
    by_id: bool,
    name: &str,
    id: Uuid,
) -> Result<&'a Arc<Topic>, ErrorCode> {
    if by_id {
        image.topic_by_id(id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        image.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

pub(super) fn partition(topic: &Topic, index: i32) -> Result<PartitionId, ErrorCode> {
    if !topic.has_partition(index) {
        return Err(ErrorCode::UnknownTopicOrPartition);
    }
    let index = u32::try_from(index).expect("an existing partition is not negative");
    Ok(PartitionId {
        topic: topic.id,
        index,
    })
}
