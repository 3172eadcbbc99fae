//! One member of a classic group.

use super::action::{GroupMember, JoinRequest, Protocol};
use super::state_records::MemberValue;
use crate::base::ids::Ticket;
use crate::base::time::Instant;
use bytes::Bytes;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) instance: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) session_timeout_ms: i32,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    /// Its join waits for the others.
    pub(super) joining: Option<Ticket>,
    /// Its sync waits for the leader's assignment.
    pub(super) syncing: Option<Ticket>,
    /// Has never been told a generation: it cannot send heartbeats yet.
    pub(super) is_new: bool,
    /// When it is held for dead.
    pub(super) deadline: Option<Instant>,
}

/// Memory of a member besides its protocols, roughly.
const MEMBER_BYTES: usize = 256;

impl Member {
    pub(super) fn new(id: String, request: &JoinRequest) -> Member {
        Member {
            id,
            instance: request.instance.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            protocols: request.protocols.clone(),
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            is_new: true,
            deadline: None,
        }
    }

    /// What this request would cost in memory.
    pub(super) fn bytes_asked(request: &JoinRequest) -> usize {
        let texts = request.client_id.len() + request.client_host.len();
        2 * texts + request.instance.as_ref().map_or(0, String::len) + bytes_of(&request.protocols)
    }

    /// As the log has it. Of its protocols only the chosen one is known.
    pub(super) fn recovered(value: &MemberValue, protocol: &str) -> Member {
        Member {
            id: value.member.clone(),
            instance: value.instance.clone(),
            client_id: value.client_id.clone(),
            client_host: value.client_host.clone(),
            session_timeout_ms: value.session_timeout_ms,
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            protocols: vec![Protocol {
                name: protocol.to_owned(),
                metadata: value.subscription.clone(),
            }],
            assignment: value.assignment.clone(),
            joining: None,
            syncing: None,
            is_new: false,
            deadline: None,
        }
    }

    pub(super) fn to_value(&self, protocol: &str, assignment: Bytes) -> MemberValue {
        MemberValue {
            member: self.id.clone(),
            instance: self.instance.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }

    pub(super) fn to_group_member(&self, protocol: &str) -> GroupMember {
        GroupMember {
            member: self.id.clone(),
            instance: self.instance.clone(),
            metadata: self.metadata(protocol),
        }
    }

    /// What it says for this protocol; nothing, if it does not know it.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|known| known.name == protocol);
        found.map_or_else(Bytes::new, |known| known.metadata.clone())
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|known| known.name == protocol)
    }

    pub(super) fn bytes(&self) -> usize {
        let texts = self.client_id.len() + self.client_host.len();
        2 * texts + self.instance.as_ref().map_or(0, String::len) + bytes_of(&self.protocols)
    }

    /// Nobody expects a heartbeat of a member whose request waits here; a new one is expected to give up and ask again.
    pub(super) fn is_waiting(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }
}

fn bytes_of(protocols: &[Protocol]) -> usize {
    let protocols = protocols.iter();
    let bytes = protocols.map(|known| known.name.len() + known.metadata.len());
    MEMBER_BYTES + bytes.sum::<usize>()
}
