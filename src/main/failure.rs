//! How a command ends: done, partly done, or one line that says what, where, why and the fix.

use ottla::wire::ErrorCode;
use std::process::ExitCode;

pub(crate) type Outcome = Result<Done, Failure>;

/// How much of what was asked for is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Done {
    All,
    /// A check found problems, and has told them.
    Problems,
    /// Some of it; what was not done has been told.
    Partly,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    cause: Cause,
    line: String,
    fix: Option<String>,
    details: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cause {
    Failed,
    Usage,
    /// A broker could not be reached, or stopped answering.
    Connection,
    Refused(ErrorCode),
    /// Whoever reads our output has enough.
    OutputClosed,
}

impl Failure {
    pub(crate) fn new(line: impl Into<String>) -> Failure {
        Failure {
            cause: Cause::Failed,
            line: line.into(),
            fix: None,
            details: Vec::new(),
        }
    }

    pub(crate) fn usage(line: impl Into<String>) -> Failure {
        Failure {
            cause: Cause::Usage,
            ..Failure::new(line)
        }
    }

    pub(crate) fn connection(line: impl Into<String>) -> Failure {
        Failure {
            cause: Cause::Connection,
            ..Failure::new(line)
        }
    }

    pub(crate) fn output_closed() -> Failure {
        Failure {
            cause: Cause::OutputClosed,
            ..Failure::new("the output was closed")
        }
    }

    /// What a broker said of `subject`, with its own words when it used some.
    pub(crate) fn refused(subject: &str, code: i16, message: Option<&str>) -> Failure {
        let Some(code) = ErrorCode::from_code(code) else {
            return Failure::new(format!("{subject}: error code {code}"));
        };
        let words = message.map(str::trim).filter(|words| !words.is_empty());
        let line = match words.or(explanation(code)) {
            Some(words) => format!("{subject}: {code}: {}", words.trim_end_matches('.')),
            None => format!("{subject}: {code}"),
        };
        Failure {
            cause: Cause::Refused(code),
            fix: fix_of(code).map(str::to_owned),
            ..Failure::new(line)
        }
    }

    /// Nothing when `code` is no error.
    pub(crate) fn check(subject: &str, code: i16, message: Option<&str>) -> Result<(), Failure> {
        match code {
            0 => Ok(()),
            _ => Err(Failure::refused(subject, code, message)),
        }
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Failure {
        self.fix = Some(fix.into());
        self
    }

    /// Shown with `-v` alone.
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Failure {
        self.details.push(detail.into());
        self
    }

    pub(crate) fn is_connection(&self) -> bool {
        self.cause == Cause::Connection
    }

    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self.cause {
            Cause::Refused(code) => Some(code),
            _ => None,
        }
    }

    /// Kafka's name of the error, or when no broker refused it: CONNECTION_FAILED, WRONG_USAGE, OUTPUT_CLOSED, else
    /// FAILED.
    pub(crate) fn name(&self) -> &'static str {
        match self.cause {
            Cause::Refused(code) => code.name(),
            Cause::Connection => "CONNECTION_FAILED",
            Cause::Usage => "WRONG_USAGE",
            Cause::OutputClosed => "OUTPUT_CLOSED",
            Cause::Failed => "FAILED",
        }
    }

    /// Whether the same question may be answered soon.
    pub(crate) fn is_passing(&self) -> bool {
        self.code().is_some_and(is_passing)
    }

    pub(crate) fn exit(&self) -> ExitCode {
        match self.cause {
            Cause::Failed | Cause::Connection | Cause::Refused(_) => ExitCode::FAILURE,
            Cause::Usage => ExitCode::from(2),
            Cause::OutputClosed => ExitCode::SUCCESS,
        }
    }

    /// The line on standard error; nothing when nobody is to blame.
    pub(crate) fn tell(&self, verbose: bool) {
        if self.cause == Cause::OutputClosed {
            return;
        }
        eprintln!("ottla: {}", self.text());
        for detail in self.details.iter().filter(|_| verbose) {
            eprintln!("  {}", one_line(detail));
        }
    }

    pub(crate) fn text(&self) -> String {
        let line = one_line(&self.line);
        match &self.fix {
            Some(fix) => format!("{line}. Fix: {}", one_line(fix)),
            None => line,
        }
    }
}

impl Done {
    pub(crate) fn exit(self) -> ExitCode {
        match self {
            Done::All => ExitCode::SUCCESS,
            Done::Problems => ExitCode::from(3),
            Done::Partly => ExitCode::from(4),
        }
    }

    /// What it comes to when each of several things was tried. All failures but the last are told here.
    pub(crate) fn of_all(results: Vec<Result<(), Failure>>, verbose: bool) -> Outcome {
        let total = results.len();
        let mut failures: Vec<Failure> = results.into_iter().filter_map(Result::err).collect();
        let is_total = failures.len() == total;
        let Some(last) = failures.pop() else {
            return Ok(Done::All);
        };
        for failure in failures {
            failure.tell(verbose);
        }
        if is_total {
            return Err(last);
        }
        last.tell(verbose);
        Ok(Done::Partly)
    }
}

pub(crate) fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::LeaderNotAvailable
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::RequestTimedOut
            | ErrorCode::BrokerNotAvailable
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::NetworkException
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::NotEnoughReplicasAfterAppend
            | ErrorCode::KafkaStorageError
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::UnstableOffsetCommit
            | ErrorCode::ThrottlingQuotaExceeded
    )
}

/// For codes that come without words.
fn explanation(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::UnknownTopicOrPartition => "there is no such topic or partition",
        ErrorCode::OffsetOutOfRange => "the offset is not in the log",
        ErrorCode::MessageTooLarge => "a record is larger than the topic takes",
        ErrorCode::NonEmptyGroup => "the group has members",
        ErrorCode::GroupIdNotFound => "there is no such group",
        ErrorCode::UnknownMemberId => "the group has members, which alone may commit",
        ErrorCode::GroupSubscribedToTopic => "members of the group consume the topic",
        ErrorCode::CoordinatorLoadInProgress => "the coordinator still reads its log",
        ErrorCode::KafkaStorageError => {
            "the broker cannot use its disk, or the partition is damaged"
        }
        ErrorCode::RequestTimedOut => "not confirmed in time; it may have been done",
        _ => return None,
    })
}

/// For a config that is refused.
pub(crate) const CONFIG_FIX: &str = "ottla config reference lists names and ranges";

fn fix_of(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::UnknownTopicOrPartition => {
            "ottla topic list shows what there is, ottla topic create makes one"
        }
        ErrorCode::TopicAlreadyExists => "another name, or --if-not-exists",
        ErrorCode::OffsetOutOfRange => "--from beginning, or an offset of ottla topic describe",
        ErrorCode::MessageTooLarge => "raise max.message.bytes of the topic",
        ErrorCode::InvalidConfig => CONFIG_FIX,
        ErrorCode::InvalidTopicException => {
            "a name of 1 to 249 letters, digits, dots, dashes and underscores"
        }
        ErrorCode::NonEmptyGroup | ErrorCode::UnknownMemberId => {
            "stop its members first; ottla group describe names them"
        }
        ErrorCode::GroupIdNotFound => "ottla group list shows what there is",
        ErrorCode::TopicAuthorizationFailed
        | ErrorCode::GroupAuthorizationFailed
        | ErrorCode::ClusterAuthorizationFailed => "ask the operator of the cluster for the right",
        ErrorCode::KafkaStorageError => "the broker's log names the cause",
        _ => return None,
    })
}

/// Whatever a name or a broker's text holds.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_why_and_the_fix() {
        for (code, message, text) in [
            (
                ErrorCode::TopicAlreadyExists,
                Some("Topic 't' already exists."),
                "topic t: TOPIC_ALREADY_EXISTS: Topic 't' already exists. Fix: another name, or --if-not-exists",
            ),
            (
                ErrorCode::NonEmptyGroup,
                None,
                "topic t: NON_EMPTY_GROUP: the group has members. Fix: stop its members first; ottla group \
                 describe names them",
            ),
            (
                ErrorCode::PolicyViolation,
                Some("not\nhere"),
                "topic t: POLICY_VIOLATION: not here",
            ),
            (
                ErrorCode::UnknownServerError,
                Some(""),
                "topic t: UNKNOWN_SERVER_ERROR",
            ),
        ] {
            let failure = Failure::refused("topic t", code.code(), message);
            assert_eq!(failure.text(), text);
        }
        assert_eq!(
            Failure::refused("topic t", 9_999, None).text(),
            "topic t: error code 9999"
        );
    }

    #[test]
    fn of_several_things_all_some_or_none_are_done() {
        let bad = || Err(Failure::new("no"));
        assert_eq!(Done::of_all(Vec::new(), false), Ok(Done::All));
        assert_eq!(Done::of_all(vec![Ok(()), Ok(())], false), Ok(Done::All));
        assert_eq!(Done::of_all(vec![Ok(()), bad()], false), Ok(Done::Partly));
        assert!(Done::of_all(vec![bad(), bad()], false).is_err());
    }
}
