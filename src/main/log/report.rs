//! What a check found: lines for people, one document for programs.

use crate::failure::{Done, Failure};
use crate::output::{Column, Output, Table, print};
use serde::Serialize;

/// One thing that was looked at.
#[derive(Serialize)]
pub(super) struct Finding {
    kind: Kind,
    /// A file, a partition, or what a start would do.
    subject: String,
    what: String,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// As it was written.
    Ok,
    /// Not as it was written, and none the worse: what every crash leaves.
    Note,
    /// Damage, or something that only an operator can set right.
    Problem,
}

#[derive(Default, Serialize)]
pub(super) struct Report {
    problems: usize,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn ok(&mut self, subject: impl Into<String>, what: impl Into<String>) {
        self.add(Kind::Ok, subject.into(), what.into());
    }

    pub(super) fn note(&mut self, subject: impl Into<String>, what: impl Into<String>) {
        self.add(Kind::Note, subject.into(), what.into());
    }

    pub(super) fn problem(&mut self, subject: impl Into<String>, what: impl Into<String>) {
        self.problems += 1;
        self.add(Kind::Problem, subject.into(), what.into());
    }

    fn add(&mut self, kind: Kind, subject: String, what: String) {
        self.findings.push(Finding {
            kind,
            subject,
            what,
        });
    }

    pub(super) fn show(&self, output: &Output) -> Result<Done, Failure> {
        output.show(self, || {
            let columns = ["", "SUBJECT", "FOUND"].map(Column::Text);
            let mut table = Table::new(&columns);
            for finding in &self.findings {
                let kind = match finding.kind {
                    Kind::Ok => "ok",
                    Kind::Note => "note",
                    Kind::Problem => "PROBLEM",
                };
                table.row([kind.into(), finding.subject.clone(), finding.what.clone()]);
            }
            vec![table]
        })?;
        if !output.is_json() {
            print(&match self.problems {
                0 => "\nno problems\n".to_owned(),
                1 => "\n1 problem\n".to_owned(),
                count => format!("\n{count} problems\n"),
            })?;
        }
        Ok(match self.problems {
            0 => Done::All,
            _ => Done::Problems,
        })
    }
}
