//! One request on its way through a handler.

use super::errors::{self, Refusal, Unanswered};
use super::meter::Notes;
use super::plane::Server;
use super::reply_queue::{Dispatched, Reply};
use crate::base::ids::ShardId;
use crate::base::recycler::Recycled;
use crate::control::{Command, Image, Outcome};
use crate::shard::request::{Request, Response};
use crate::wire::{ApiKey, Encode, ErrorCode};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

/// Who asks. A clone is the same one.
#[derive(Clone)]
pub(super) struct Peer {
    /// Its address, as Kafka writes it.
    pub(super) host: Rc<str>,
    /// As its last request had it.
    pub(super) client_id: Option<Rc<str>>,
}

impl Peer {
    /// Most clients have one name for all of their requests.
    pub(super) fn is_called(&mut self, client_id: Option<&str>) {
        if self.client_id.as_deref() != client_id {
            self.client_id = client_id.map(Rc::from);
        }
    }
}

/// What a handler knows about a request besides its body. A clone is the same request.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) server: Rc<Server>,
    pub(super) api_key: ApiKey,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    pub(super) peer: Peer,
    pub(super) notes: Recycled<Notes>,
}

impl Call {
    /// The metadata this answer is given by.
    pub(super) fn image(&self) -> Arc<Image> {
        self.server.handle.image()
    }

    pub(super) fn answer(&self, body: &impl Encode) -> Reply {
        let mut memory = self.server.frames.borrow_mut();
        let frame = memory.response_frame(self.api_key, self.version, self.correlation_id, body);
        Reply::Frame {
            permit: Some(self.server.replies.charge(frame.len())),
            head: frame,
            rest: Vec::new(),
        }
    }

    pub(super) fn ready(&self, body: &impl Encode) -> Dispatched {
        Dispatched::Ready(self.answer(body))
    }

    /// The body comes later. What must happen in request order has happened before this call.
    pub(super) fn later<R: Encode>(self, body: impl Future<Output = R> + 'static) -> Dispatched {
        Dispatched::Later(Box::pin(async move {
            let body = body.await;
            self.answer(&body)
        }))
    }

    /// The code as it goes onto the wire; bugs are counted here.
    pub(super) fn code(&self, code: ErrorCode) -> i16 {
        self.notes.code(code);
        if code == ErrorCode::UnknownServerError {
            self.server.handle.stats().unknown_server_errors.add(1);
            tracing::error!(api = %self.api_key, version = self.version, "a bug was answered");
        }
        code.code()
    }

    /// Changes the metadata; shard 0 decides, and answers when every shard has applied it.
    pub(super) fn propose(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<Outcome, Refusal>> + use<> {
        let answer = self
            .server
            .handle
            .send(ShardId(0), Request::Propose(command));
        async move {
            match answer.await {
                Response::Propose(result) => result.map_err(errors::propose),
                other => Err(unanswered(other.into())),
            }
        }
    }
}

fn unanswered(unanswered: Unanswered) -> Refusal {
    match unanswered {
        Unanswered::Busy => errors::propose(crate::shard::request::ProposeError::Busy),
        other => Refusal::new(
            errors::unanswered_write(other),
            "No answer from the controller; the change may have been made.",
        ),
    }
}
