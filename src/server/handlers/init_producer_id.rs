//! InitProducerId 0-5: an id nobody had before, epoch 0. A producer without transactions that brings its old id and epoch
//! gets a new id too (KIP-360). With a transactional id: refused, for as long as there are no transactions.

use crate::base::epoch::ProducerEpoch;
use crate::base::ids::ProducerId;
use crate::server::call::Call;
use crate::server::errors::{self, Unanswered};
use crate::server::reply_queue::Dispatched;
use crate::shard::request::{Request, Response};
use crate::wire::ErrorCode;
use crate::wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

pub(in crate::server) fn handle(call: Call, request: InitProducerIdRequest) -> Dispatched {
    if let Err(code) = check(&request) {
        return call.ready(&refused(&call, code));
    }
    let handle = &call.server.handle;
    let answer = handle.send(handle.id(), Request::ProducerId);
    let answering = call.clone();
    call.later(async move {
        let code = match answer.await {
            Response::ProducerId(Ok(id)) => return given(id),
            Response::ProducerId(Err(error)) => errors::producer_id(error),
            other => errors::unanswered_write(Unanswered::from(other)),
        };
        refused(&answering, code)
    })
}

fn check(request: &InitProducerIdRequest) -> Result<(), ErrorCode> {
    match request.transactional_id.as_deref() {
        Some("") => return Err(ErrorCode::InvalidRequest),
        Some(id) => {
            tracing::info!(
                id,
                reason = errors::TRANSACTIONS_MISSING,
                "transactional id refused"
            );
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        None => {}
    }
    let has_id = request.producer_id != ProducerId::NONE.0;
    let has_epoch = request.producer_epoch != ProducerEpoch::NONE.0;
    match has_id == has_epoch {
        true => Ok(()),
        false => Err(ErrorCode::InvalidRequest),
    }
}

fn given(id: ProducerId) -> InitProducerIdResponse {
    InitProducerIdResponse {
        producer_id: id.0,
        producer_epoch: 0,
        ..InitProducerIdResponse::default()
    }
}

fn refused(call: &Call, code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: call.code(code),
        producer_id: ProducerId::NONE.0,
        producer_epoch: ProducerEpoch::NONE.0,
        ..InitProducerIdResponse::default()
    }
}
