//! Which lines of which parts of the broker are logged, as Kafka's tools change it at run time (KIP-412). Nothing of it
//! outlives the process.

use std::collections::BTreeMap;
use std::fmt;

/// What has no level of its own.
pub const ROOT: &str = "root";
/// Parts that log, by name. A level holds for what lies below it too.
pub const LOGGERS: &[&str] = &[
    "glommio",
    "ottla",
    "ottla::admin",
    "ottla::boot",
    "ottla::server",
    "ottla::shard",
    "ottla::storage",
    ROOT,
];

/// Kafka's levels. No line of ours is fatal: that level is silence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogLevel {
    Debug,
    Error,
    Fatal,
    Info,
    Trace,
    Warn,
}

const LEVELS: &[(LogLevel, &str, &str)] = &[
    (LogLevel::Debug, "DEBUG", "debug"),
    (LogLevel::Error, "ERROR", "error"),
    (LogLevel::Fatal, "FATAL", "off"),
    (LogLevel::Info, "INFO", "info"),
    (LogLevel::Trace, "TRACE", "trace"),
    (LogLevel::Warn, "WARN", "warn"),
];

impl LogLevel {
    pub fn name(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> &'static (LogLevel, &'static str, &'static str) {
        let row = LEVELS.iter().find(|row| row.0 == self);
        row.expect("every level has its row")
    }

    fn of_filter(word: &str) -> Option<LogLevel> {
        let row = LEVELS.iter().find(|row| row.2.eq_ignore_ascii_case(word));
        row.map(|row| row.0)
    }
}

/// Why a level is not changed. The words are Apache Kafka's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogLevelProblem {
    UnknownLogger { logger: String },
    UnknownLevel { logger: String, level: String },
    RootNeedsLevel,
}

/// The levels of one process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLevels {
    /// As the broker was started: `info` or `info,ottla::storage=debug`.
    start: String,
    /// What of it names a logger.
    started: BTreeMap<String, LogLevel>,
    changed: BTreeMap<&'static str, LogLevel>,
}

impl LogLevels {
    pub fn new(start: &str) -> LogLevels {
        let directives = start.split(',').filter_map(|directive| {
            let (logger, level) = directive.split_once('=').unwrap_or((ROOT, directive));
            Some((logger.trim().to_owned(), LogLevel::of_filter(level.trim())?))
        });
        LogLevels {
            start: start.to_owned(),
            started: directives.collect(),
            changed: BTreeMap::new(),
        }
    }

    /// Every logger with the level that holds for it.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, LogLevel)> {
        LOGGERS.iter().map(|logger| (*logger, self.level(logger)))
    }

    fn level(&self, logger: &str) -> LogLevel {
        let mut name = logger;
        loop {
            let own = self.changed.get(name).or_else(|| self.started.get(name));
            match (own, name.rsplit_once("::")) {
                (Some(level), _) => return *level,
                (None, Some((parent, _))) => name = parent,
                (None, None) if name == ROOT => return LogLevel::Error,
                (None, None) => name = ROOT,
            }
        }
    }

    /// Gives a logger a level; None: back to what it was started with.
    pub fn change(&mut self, logger: &str, level: Option<&str>) -> Result<(), LogLevelProblem> {
        let known = LOGGERS.iter().find(|known| **known == logger);
        let known = known.ok_or_else(|| LogLevelProblem::UnknownLogger {
            logger: logger.to_owned(),
        })?;
        let Some(level) = level else {
            if *known == ROOT {
                return Err(LogLevelProblem::RootNeedsLevel);
            }
            self.changed.remove(known);
            return Ok(());
        };
        let row = LEVELS.iter().find(|row| row.1 == level);
        let (level, ..) = row.ok_or_else(|| LogLevelProblem::UnknownLevel {
            logger: logger.to_owned(),
            level: level.to_owned(),
        })?;
        self.changed.insert(known, *level);
        Ok(())
    }

    /// All of it in the notation of the start; what comes later wins.
    pub fn filter(&self) -> String {
        let mut filter = self.start.clone();
        for (logger, level) in &self.changed {
            let word = level.row().2;
            filter += &match *logger {
                ROOT => format!(",{word}"),
                logger => format!(",{logger}={word}"),
            };
        }
        filter
    }
}

impl fmt::Display for LogLevelProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogLevelProblem::UnknownLogger { logger } => {
                write!(f, "Logger {logger} does not exist!")
            }
            LogLevelProblem::UnknownLevel { logger, level } => {
                let valid: Vec<&str> = LEVELS.iter().map(|row| row.1).collect();
                write!(
                    f,
                    "Cannot set the log level of {logger} to {level} as it is not a supported log \
                     level. Valid log levels are {}",
                    valid.join(", ")
                )
            }
            LogLevelProblem::RootNeedsLevel => {
                write!(
                    f,
                    "Removing the log level of the {ROOT} logger is not allowed"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(levels: &LogLevels) -> String {
        let all = levels
            .all()
            .map(|(logger, level)| format!("{logger}={}", level.name()));
        all.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_logger_has_its_own_level_or_that_of_what_is_above_it() {
        for (start, changes, expected) in [
            (
                "info",
                &[][..],
                "ottla=INFO ottla::shard=INFO ottla::storage=INFO root=INFO",
            ),
            (
                "warn,ottla::storage=debug",
                &[],
                "ottla=WARN ottla::shard=WARN ottla::storage=DEBUG root=WARN",
            ),
            (
                "info",
                &[("ottla", Some("TRACE")), ("ottla::shard", Some("FATAL"))],
                "ottla=TRACE ottla::shard=FATAL ottla::storage=TRACE root=INFO",
            ),
            (
                "info,ottla=debug",
                &[
                    ("ottla", Some("WARN")),
                    ("ottla", None),
                    ("root", Some("ERROR")),
                ],
                "ottla=DEBUG ottla::shard=DEBUG ottla::storage=DEBUG root=ERROR",
            ),
        ] {
            let mut levels = LogLevels::new(start);
            for (logger, level) in changes {
                levels
                    .change(logger, *level)
                    .expect("a known logger and level");
            }
            let all = shown(&levels);
            for word in expected.split(' ') {
                assert!(
                    all.split(' ').any(|found| found == word),
                    "{start}: {word} not in {all}"
                );
            }
        }
    }

    #[test]
    fn the_filter_is_that_of_the_start_and_the_changes_after_it() {
        let mut levels = LogLevels::new("info,ottla::boot=warn");
        assert_eq!(levels.filter(), "info,ottla::boot=warn");
        levels.change("root", Some("ERROR")).expect("a known level");
        levels
            .change("ottla::shard", Some("FATAL"))
            .expect("a known level");
        assert_eq!(
            levels.filter(),
            "info,ottla::boot=warn,ottla::shard=off,error"
        );
        levels.change("ottla::shard", None).expect("a known logger");
        assert_eq!(levels.filter(), "info,ottla::boot=warn,error");
    }

    #[test]
    fn a_refusal_has_the_words_of_kafka() {
        for (logger, level, message) in [
            (
                "kafka.server",
                Some("INFO"),
                "Logger kafka.server does not exist!",
            ),
            ("kafka.server", None, "Logger kafka.server does not exist!"),
            (
                "ottla",
                Some("info"),
                "Cannot set the log level of ottla to info as it is not a supported log level. Valid log levels are \
                 DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
            ),
            (
                "root",
                None,
                "Removing the log level of the root logger is not allowed",
            ),
        ] {
            let mut levels = LogLevels::new("info");
            let problem = levels.change(logger, level).expect_err("is refused");
            assert_eq!(problem.to_string(), message);
            assert_eq!(levels, LogLevels::new("info"));
        }
    }
}
