//! What a process logs, as a resource with configs (KIP-412): logger -> level. Changes hold at once, for this process.

use crate::config::describe::Description;
use crate::config::layers::Source;
use crate::config::log_levels::{LogLevelProblem, LogLevels};
use crate::config::value::Kind;
use crate::control::command::{ConfigOperation, OperationKind};
use crate::control::{ControlError, Image, check_operations};
use crate::server::errors::{self, Refusal};
use crate::shard::log_control;
use crate::wire::ErrorCode;

const DOCUMENTATION: &str =
    "From which level on lines of this part of the broker are logged, until it stops.";

pub(super) fn rows(
    image: &Image,
    name: &str,
    wanted: Option<&[String]>,
) -> Result<Vec<Description>, Refusal> {
    if name.is_empty() {
        let message = "Broker id must not be empty";
        return Err(Refusal::new(ErrorCode::InvalidRequest, message));
    }
    check_node(image, name, "broker")?;
    let is_wanted = |logger: &str| {
        wanted.is_none_or(|names| names.is_empty() || names.iter().any(|name| name == logger))
    };
    let levels = log_control::levels();
    let all = levels.iter().flat_map(LogLevels::all);
    let rows = all.filter(|(logger, _)| is_wanted(logger));
    let rows = rows.map(|(logger, level)| Description {
        name: logger,
        value: Some(level.name().to_owned()),
        source: Source::BrokerLogger,
        synonyms: Vec::new(),
        kind: Kind::String,
        read_only: false,
        sensitive: false,
        documentation: DOCUMENTATION,
    });
    Ok(rows.collect())
}

fn check_node(image: &Image, name: &str, word: &str) -> Result<(), Refusal> {
    let expected = image.node_id;
    let message = match name.parse::<i32>() {
        Ok(node) if node == expected.0 => return Ok(()),
        Ok(node) => format!("Unexpected {word} id, expected {expected} but received {node}"),
        Err(_) => format!("Node id must be an integer, but it is: {name}"),
    };
    Err(Refusal::new(ErrorCode::InvalidRequest, message))
}

/// The changes of one request.
pub(super) struct Loggers<'a> {
    image: &'a Image,
    validate_only: bool,
    is_changed: bool,
}

impl Loggers<'_> {
    pub(super) fn new(image: &Image, validate_only: bool) -> Loggers<'_> {
        Loggers {
            image,
            validate_only,
            is_changed: false,
        }
    }

    /// All of it or nothing.
    pub(super) fn alter(
        &mut self,
        name: &str,
        operations: &[ConfigOperation],
    ) -> Result<(), Refusal> {
        check_operations(operations).map_err(|problem| errors::control(&problem.into()))?;
        check_node(self.image, name, "node")?;
        if std::mem::replace(&mut self.is_changed, true) {
            let twice =
                ControlError::from(crate::control::error::RequestProblem::DuplicateResource);
            return Err(errors::control(&twice));
        }
        let Some(mut levels) = log_control::levels() else {
            return Ok(());
        };
        for operation in operations {
            apply(&mut levels, operation)?;
        }
        if !self.validate_only {
            log_control::set_levels(levels);
        }
        Ok(())
    }
}

fn apply(levels: &mut LogLevels, operation: &ConfigOperation) -> Result<(), Refusal> {
    let level = match operation.kind {
        OperationKind::Set => Some(operation.value.as_deref().unwrap_or_default()),
        OperationKind::Delete => None,
        OperationKind::Append => return Err(not_allowed("APPEND")),
        OperationKind::Subtract => return Err(not_allowed("SUBTRACT")),
    };
    levels.change(&operation.name, level).map_err(|problem| {
        let code = match problem {
            LogLevelProblem::RootNeedsLevel => ErrorCode::InvalidRequest,
            _ => ErrorCode::InvalidConfig,
        };
        Refusal::new(code, problem.to_string())
    })
}

fn not_allowed(operation: &str) -> Refusal {
    let message = format!("{operation} operation is not allowed for the BROKER_LOGGER resource");
    Refusal::new(ErrorCode::InvalidRequest, message)
}
