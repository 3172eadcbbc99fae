//! Producer ids of one shard: it takes them in blocks, so that a new producer rarely waits for the metadata log.

use super::calls::Origin;
use super::core::Core;
use super::request::{Command, Outcome, ProposeError, Request, Response};
use crate::base::ids::{ProducerId, ShardId};
use crate::base::limits::PRODUCER_ID_BLOCK;
use crate::storage::runtime::{Runtime, TaskClass};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[derive(Default)]
pub(super) struct ProducerIds {
    next: Cell<i64>,
    end: Cell<i64>,
    waiting: RefCell<Vec<Origin>>,
}

impl ProducerIds {
    fn take(&self) -> Option<ProducerId> {
        let next = self.next.get();
        if next >= self.end.get() {
            return None;
        }
        self.next.set(next + 1);
        Some(ProducerId(next))
    }
}

impl Core {
    pub(super) fn producer_id(self: &Rc<Core>, origin: Origin) {
        if let Some(id) = self.producer_ids.take() {
            return self.reply(origin, Response::ProducerId(Ok(id)));
        }
        let mut waiting = self.producer_ids.waiting.borrow_mut();
        waiting.push(origin);
        if waiting.len() == 1 {
            drop(waiting);
            let core = self.clone();
            let refill = async move { core.refill_producer_ids().await };
            self.runtime.spawn(TaskClass::Foreground, refill);
        }
    }

    async fn refill_producer_ids(self: Rc<Core>) {
        let count = PRODUCER_ID_BLOCK;
        let command = Command::AllocateProducerIds { count };
        let answer = self.send(ShardId(0), Request::Propose(command)).await;
        let refused = match answer {
            Response::Propose(Ok(Outcome::ProducerIds(Ok(block)))) => {
                self.producer_ids.next.set(block.first.0);
                let end = block.first.0 + i64::from(block.count);
                self.producer_ids.end.set(end);
                ProposeError::Busy
            }
            Response::Propose(Err(error)) => error,
            Response::Busy => ProposeError::Busy,
            _ => ProposeError::Unavailable,
        };
        let waiting = self.producer_ids.waiting.take();
        for origin in waiting {
            let id = self.producer_ids.take().ok_or(refused);
            self.reply(origin, Response::ProducerId(id));
        }
    }
}
