//! What a group may use while it decides: the settings, the time, and where its decisions go.

use super::action::{Action, Answer};
use super::settings::GroupSettings;
use super::state_records::StateRecord;
use super::writes::{Effect, Write, Writes, encoded_bytes};
use crate::base::ids::Ticket;
use crate::base::time::{Instant, Now};
use std::collections::VecDeque;
use std::time::Duration;

pub(super) struct Turn<'a> {
    pub(super) settings: &'a GroupSettings,
    pub(super) now: Now,
    pub(super) actions: &'a mut VecDeque<Action>,
    pub(super) writes: &'a mut Writes,
}

impl Turn<'_> {
    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.actions.push_back(Action::Answer { ticket, answer });
    }

    /// Queues records; `effect` happens when they are durable. More than one batch takes go in several, in order: when
    /// one fails, those behind it fail too.
    pub(super) fn write(&mut self, records: Vec<StateRecord>, effect: Effect) {
        let most = self.settings.batch_bytes_max / 2;
        let mut part = Vec::new();
        let mut bytes = 0;
        for record in records {
            let added = encoded_bytes(&record.encode());
            if bytes + added > most && !part.is_empty() {
                self.writes
                    .push(Write::new(std::mem::take(&mut part), Effect::None));
                bytes = 0;
            }
            bytes += added;
            part.push(record);
        }
        self.writes.push(Write::new(part, effect));
    }

    /// A negative wait is none.
    pub(super) fn after_ms(&self, ms: i32) -> Instant {
        let ms = u64::try_from(ms).unwrap_or(0);
        self.now.instant.plus(Duration::from_millis(ms))
    }
}
