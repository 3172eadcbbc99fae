//! What operators see of a group.

use super::action::{DescribedGroup, DescribedMember, ListedGroup};
use super::classic::{Group, GroupState};
use bytes::Bytes;

impl Group {
    /// What members say and get is told of a stable group alone.
    pub(super) fn describe(&self) -> DescribedGroup {
        let protocol = match self.state {
            GroupState::Stable => self.protocol.as_deref(),
            _ => None,
        };
        let members = self.members.values().map(|member| DescribedMember {
            member: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: protocol.map_or_else(Bytes::new, |protocol| member.metadata(protocol)),
            assignment: member.assignment.clone(),
        });
        DescribedGroup {
            state: self.state,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: protocol.unwrap_or_default().to_owned(),
            members: members.collect(),
        }
    }

    pub(super) fn list(&self) -> ListedGroup {
        ListedGroup {
            group: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            state: self.state,
        }
    }
}
