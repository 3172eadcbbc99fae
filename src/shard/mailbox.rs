//! Messages between the cores: one bounded single-producer channel per ordered pair of shards.
//!
//! Order of sending is order of arrival. A message that finds its channel full waits in the outbox of its pair, which
//! is bounded because requests are: at most as many as `tickets` lets stand unanswered between the two shards, and as
//! many answers as the peer has requests unanswered.

use super::request::{Request, Response};
use super::runtime::ShardRuntime;
use crate::base::ids::{ShardId, Ticket};
use crate::base::limits::MAILBOX_MESSAGES_MAX;
use crate::storage::runtime::{Notify, Runtime, TaskClass};
use glommio::channels::channel_mesh::{FullMesh, MeshBuilder, Senders};
use glommio::channels::shared_channel::ConnectedReceiver;
use glommio::{GlommioError, ResourceType};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

#[derive(Debug)]
pub(super) enum Message {
    Request { ticket: Ticket, request: Request },
    Response { ticket: Ticket, response: Response },
}

/// What the shards of one process meet in; boot gives each a clone.
#[derive(Clone)]
pub struct Mesh(FullMesh<Message>);

/// One shard's end: where it sends.
pub(super) struct Mailbox {
    senders: Rc<Senders<Message>>,
    outboxes: Vec<Rc<Outbox>>,
}

/// Of the shard that a message was for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped;

/// Where one shard receives what `from` sends.
pub(super) struct Receiver {
    pub(super) from: ShardId,
    channel: ConnectedReceiver<Message>,
}

#[derive(Default)]
struct Outbox {
    waiting: RefCell<VecDeque<Message>>,
    /// A message of this pair has left `waiting` and is not yet in the channel.
    sending: Cell<bool>,
    filled: Notify,
}

impl Mesh {
    pub fn new(shards: u16) -> Mesh {
        Mesh(MeshBuilder::full(usize::from(shards), MAILBOX_MESSAGES_MAX))
    }

    pub(super) fn shards(&self) -> u16 {
        u16::try_from(self.0.nr_peers()).expect("made from a u16")
    }

    /// Waits for every other shard. The number of a shard is its place among the executors.
    pub(super) async fn join(self, runtime: &ShardRuntime) -> (ShardId, Mailbox, Vec<Receiver>) {
        let joined = self.0.join().await;
        let (senders, mut receivers) = joined.expect("each shard joins once");
        let shard = |index: usize| ShardId(u16::try_from(index).expect("counted as u16"));
        let id = shard(senders.peer_id());
        let receivers = receivers
            .streams()
            .into_iter()
            .map(|(from, channel)| Receiver {
                from: shard(from),
                channel,
            });
        let mailbox = Mailbox {
            outboxes: (0..senders.nr_consumers()).map(|_| Rc::default()).collect(),
            senders: Rc::new(senders),
        };
        for (to, outbox) in mailbox.outboxes.iter().enumerate() {
            if to != usize::from(id.0) {
                let task = drain(to, mailbox.senders.clone(), outbox.clone());
                runtime.spawn(TaskClass::Foreground, task);
            }
        }
        (id, mailbox, receivers.collect())
    }
}

impl Mailbox {
    /// In the order of these calls.
    pub(super) fn send(&self, to: ShardId, message: Message) -> Result<(), Stopped> {
        let to = usize::from(to.0);
        let outbox = &self.outboxes[to];
        if outbox.sending.get() || !outbox.waiting.borrow().is_empty() {
            outbox.push(message);
            return Ok(());
        }
        match self.senders.try_send_to(to, message) {
            Ok(()) => Ok(()),
            Err(GlommioError::WouldBlock(ResourceType::Channel(message))) => {
                outbox.push(message);
                Ok(())
            }
            Err(GlommioError::Closed(ResourceType::Channel(_))) => Err(Stopped),
            Err(error) => panic!("a shard sends to other shards only: {error}"),
        }
    }

    /// Messages that found their channel full.
    pub(super) fn waiting(&self) -> usize {
        let waiting = self.outboxes.iter();
        waiting.map(|outbox| outbox.waiting.borrow().len()).sum()
    }
}

impl Outbox {
    fn push(&self, message: Message) {
        self.waiting.borrow_mut().push_back(message);
        self.filled.notify();
    }
}

async fn drain(to: usize, senders: Rc<Senders<Message>>, outbox: Rc<Outbox>) {
    loop {
        let filled = outbox.filled.notified();
        let next = outbox.waiting.borrow_mut().pop_front();
        match next {
            None => filled.await,
            Some(message) => {
                outbox.sending.set(true);
                // An error says that the peer has stopped: its receiver answers what waits for it.
                let _ = senders.send_to(to, message).await;
                outbox.sending.set(false);
            }
        }
    }
}

impl Receiver {
    /// `None` when the other shard has stopped.
    pub(super) async fn next(&self) -> Option<Message> {
        self.channel.recv().await
    }
}
