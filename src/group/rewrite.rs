//! Bounds the log: its live state is said again, in parts between the ordinary batches, and then the log begins there.
//!
//! A part is made when nothing is under way, from state that is durable, so it never contradicts what lies before it;
//! what changes later is written later. A crash in the middle leaves a log that says some things twice.

use super::action::GroupId;
use super::classic::Group;
use super::offsets::OffsetKey;
use super::state_records::StateRecord;
use super::writes::encoded_bytes;
use crate::base::offset::Offset;
use std::collections::BTreeMap;
use std::ops::Bound;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Rewrite {
    /// Up to here everything is said; within the group up to this offset.
    said: Option<(GroupId, Option<OffsetKey>)>,
    is_complete: bool,
    start: Option<Offset>,
    bytes: u64,
}

impl Rewrite {
    /// The next part: about this many bytes.
    pub(super) fn take(
        &mut self,
        groups: &BTreeMap<GroupId, Group>,
        bytes_max: usize,
    ) -> Vec<StateRecord> {
        let mut part = Vec::new();
        let mut bytes = 0;
        let from = self.said.as_ref().map_or(Bound::Unbounded, |(group, _)| {
            Bound::Included(group.clone())
        });
        for (id, group) in groups.range((from, Bound::Unbounded)) {
            let within = self.said.take_if(|(said, _)| said == id);
            if within.is_none() && group.recorded.is_some() {
                let record = StateRecord::Group {
                    group: id.clone(),
                    value: group.recorded.clone(),
                };
                bytes += encoded_bytes(&record.encode());
                part.push(record);
            }
            let mut last = within.and_then(|(_, key)| key);
            for (key, value) in group.offsets.behind(last.clone().as_ref()) {
                if bytes >= bytes_max {
                    self.said = Some((id.clone(), last));
                    return part;
                }
                let record = StateRecord::Offset {
                    group: id.clone(),
                    topic: key.0.clone(),
                    partition: key.1,
                    value: Some(value.clone()),
                };
                bytes += encoded_bytes(&record.encode());
                part.push(record);
                last = Some(key.clone());
            }
            self.said = Some((id.clone(), last));
            if bytes >= bytes_max {
                return part;
            }
        }
        self.is_complete = true;
        part
    }

    /// The last part is durable, in a batch of this many bytes.
    pub(super) fn written(&mut self, base: Offset, bytes: u64) {
        self.start.get_or_insert(base);
        self.bytes += bytes;
    }

    /// Where the state was begun to be said again, and how large it is, once all of it is.
    pub(super) fn ended(&self) -> Option<(Offset, u64)> {
        self.start
            .filter(|_| self.is_complete)
            .map(|start| (start, self.bytes))
    }
}
