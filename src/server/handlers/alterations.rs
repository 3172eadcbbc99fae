//! What the two APIs that change configs share: each resource succeeds or fails alone, in request order.

use crate::control::command::AlterResource;
use crate::control::{Command, Outcome};
use crate::server::call::Call;
use crate::server::errors::{self, Refusal};
use std::future::Future;

/// A resource as the request named it, and what became of it.
pub(super) struct Altered {
    pub(super) resource_type: i8,
    pub(super) resource_name: String,
    pub(super) error_code: i16,
    pub(super) error_message: Option<String>,
}

/// What the request wants of one resource, or why it makes no sense.
pub(super) struct Alteration {
    pub(super) resource_type: i8,
    pub(super) resource_name: String,
    /// None: it is done.
    pub(super) wanted: Result<Option<AlterResource>, Refusal>,
}

/// Proposes all of them as one command.
pub(super) fn alter(
    call: &Call,
    alterations: Vec<Alteration>,
    validate_only: bool,
) -> impl Future<Output = Vec<Altered>> + use<> {
    let mut resources = Vec::new();
    let mut answers = Vec::with_capacity(alterations.len());
    for item in alterations {
        let (is_done, refusal) = match item.wanted {
            Ok(Some(wanted)) => {
                resources.push(wanted);
                (false, None)
            }
            Ok(None) => (true, None),
            Err(refusal) => (true, Some(refusal)),
        };
        answers.push((item.resource_type, item.resource_name, is_done, refusal));
    }
    let outcome = call.propose(Command::AlterConfigs {
        resources,
        validate_only,
    });
    let call = call.clone();
    async move {
        let outcome = outcome.await;
        let mut altered = match &outcome {
            Ok(Outcome::ConfigsAltered(altered)) => altered.iter(),
            _ => [].iter(),
        };
        let answers =
            answers
                .into_iter()
                .map(|(resource_type, resource_name, is_done, refusal)| {
                    let refusal = match is_done {
                        true => refusal,
                        false => match (&outcome, altered.next()) {
                            (Err(refusal), _) => Some(refusal.clone()),
                            (_, Some(Ok(()))) => None,
                            (_, Some(Err(error))) => Some(errors::control(error)),
                            (_, None) => Some(errors::mismatch()),
                        },
                    };
                    Altered {
                        resource_type,
                        resource_name,
                        error_code: refusal
                            .as_ref()
                            .map_or(0, |refusal| call.code(refusal.code)),
                        error_message: refusal.map(|refusal| refusal.message),
                    }
                });
        answers.collect()
    }
}
