//! What writers know against what the log holds.

use std::collections::BTreeMap;
use std::fmt;

/// One batch, as its writer saw it. Neither acknowledged nor refused: unknown, it may be there or not.
pub(crate) struct Sent {
    pub(crate) partition: i32,
    pub(crate) values: Vec<String>,
    pub(crate) acknowledged: Option<i64>,
    pub(crate) refused: Option<i16>,
    /// What the writer's clock said before it sent the batch, and after it had the answer.
    pub(crate) sent_at: usize,
    pub(crate) answered_at: usize,
}

/// All batches of one writer, in the order it sent them.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) sent: Vec<Sent>,
}

impl History {
    /// What the writer knew at an instant of its clock: of what it sent later nothing may be found, what was answered
    /// later may be there or not.
    pub(crate) fn as_of(&self, instant: usize) -> History {
        let sent = self.sent.iter().filter(|sent| sent.sent_at < instant);
        let known = |sent: &Sent| sent.answered_at <= instant;
        let sent = sent.map(|sent| Sent {
            acknowledged: sent.acknowledged.filter(|_| known(sent)),
            refused: sent.refused,
            partition: sent.partition,
            values: sent.values.clone(),
            sent_at: sent.sent_at,
            answered_at: sent.answered_at,
        });
        History {
            sent: sent.collect(),
        }
    }
}

#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: usize,
    unknown: usize,
    records: usize,
    lost: Vec<String>,
    reordered: Vec<String>,
    twice: Vec<String>,
    torn: Vec<String>,
    invented: usize,
    refused_yet_written: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.acknowledged > 0 && self.anomaly_count() == 0
    }

    pub(crate) fn anomaly_count(&self) -> usize {
        let lists = self.anomalies();
        self.invented + lists.iter().map(|list| list.len()).sum::<usize>()
    }

    fn anomalies(&self) -> [&Vec<String>; 5] {
        [
            &self.lost,
            &self.reordered,
            &self.twice,
            &self.torn,
            &self.refused_yet_written,
        ]
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} batches acknowledged, {} unknown, {} records in the log, lost {}, reordered {}, twice {}, torn {}, \
             invented {}, refused yet written {}",
            self.acknowledged,
            self.unknown,
            self.records,
            self.lost.len(),
            self.reordered.len(),
            self.twice.len(),
            self.torn.len(),
            self.invented,
            self.refused_yet_written.len()
        )?;
        for example in self.anomalies().iter().filter_map(|list| list.first()) {
            write!(f, "; {example}")?;
        }
        Ok(())
    }
}

/// `logs` are the values of each partition by offset, dense from 0.
pub(crate) fn check(histories: &[History], logs: &[Vec<String>]) -> Verdict {
    let mut verdict = Verdict::default();
    // Value to where it stands.
    let mut places: BTreeMap<&str, (i32, i64)> = BTreeMap::new();
    for (partition, log) in logs.iter().enumerate() {
        verdict.records += log.len();
        for (offset, value) in log.iter().enumerate() {
            if places
                .insert(value, (partition as i32, offset as i64))
                .is_some()
            {
                verdict.twice.push(format!("{value} in {partition}"));
            }
        }
    }
    let mut known = 0;
    for history in histories {
        let mut newest: BTreeMap<i32, i64> = BTreeMap::new();
        for sent in &history.sent {
            let found: Vec<_> = sent
                .values
                .iter()
                .filter_map(|value| places.get(value.as_str()))
                .collect();
            known += found.len();
            judge(sent, &found, &mut newest, &mut verdict);
        }
    }
    verdict.invented = places.len() - known;
    verdict
}

fn judge(
    sent: &Sent,
    found: &[&(i32, i64)],
    newest: &mut BTreeMap<i32, i64>,
    verdict: &mut Verdict,
) {
    // Long values repeat it.
    let name = || {
        let words = sent.values[0].split(' ').next();
        words.unwrap_or_default().to_owned()
    };
    let Some(&&(partition, base)) = found.first() else {
        match sent.acknowledged {
            Some(offset) => {
                verdict
                    .lost
                    .push(format!("{} was at {}-{offset}", name(), sent.partition))
            }
            None => verdict.unknown += usize::from(sent.refused.is_none()),
        }
        return;
    };
    let contiguous = found
        .iter()
        .zip(base..)
        .all(|(place, offset)| **place == (sent.partition, offset));
    if found.len() != sent.values.len() || !contiguous {
        verdict.torn.push(name());
    }
    match (sent.acknowledged, sent.refused) {
        (Some(offset), _) if (partition, base) != (sent.partition, offset) => {
            verdict.lost.push(format!(
                "{} is at {partition}-{base}, not at {offset}",
                name()
            ));
        }
        (Some(_), _) => verdict.acknowledged += 1,
        (None, Some(code)) => verdict
            .refused_yet_written
            .push(format!("{} refused with {code}", name())),
        (None, None) => verdict.unknown += 1,
    }
    if newest
        .insert(partition, base)
        .is_some_and(|last| last >= base)
    {
        verdict.reordered.push(name());
    }
}

#[test]
fn each_anomaly_is_found() {
    let sent = |name: &str, acknowledged, refused| Sent {
        partition: 0,
        values: vec![format!("{name}0"), format!("{name}1")],
        acknowledged,
        refused,
        sent_at: 0,
        answered_at: 0,
    };
    let history = |sent| [History { sent }];
    let log = |values: &[&str]| vec![values.iter().map(ToString::to_string).collect::<Vec<_>>()];
    let both = || vec![sent("a", Some(0), None), sent("b", Some(2), None)];
    assert!(check(&history(both()), &log(&["a0", "a1", "b0", "b1"])).is_clean());
    let rows: Vec<(Vec<Sent>, &[&str], &str)> = vec![
        (both(), &["a0", "a1"], "lost 1"),
        (both(), &["a0", "a1", "x", "b0", "b1"], "lost 1"),
        (both(), &["b0", "b1", "a0", "a1"], "reordered 1"),
        (both(), &["a0", "a1", "b0", "b1", "a0"], "twice 1"),
        (both(), &["a0", "a1", "b0"], "torn 1"),
        (both(), &["a0", "a1", "b0", "b1", "x"], "invented 1"),
        (
            vec![sent("a", None, Some(7))],
            &["a0", "a1"],
            "refused yet written 1",
        ),
    ];
    for (sent, values, expected) in rows {
        let verdict = check(&history(sent), &log(values));
        assert!(
            !verdict.is_clean() && verdict.to_string().contains(expected),
            "{values:?}: {verdict}"
        );
    }
}

#[test]
fn a_history_ends_at_any_instant() {
    let sent = |name: &str, sent_at, offset| Sent {
        partition: 0,
        values: vec![name.into()],
        acknowledged: Some(offset),
        refused: None,
        sent_at,
        answered_at: sent_at + 5,
    };
    let history = History {
        sent: vec![sent("a", 10, 0), sent("b", 20, 1)],
    };
    let rows: &[(usize, &[&str], &str)] = &[
        (10, &[], "lost 0"),
        (10, &["a"], "invented 1"),
        (14, &[], "lost 0"),
        (14, &["a"], "invented 0"),
        (15, &[], "lost 1"),
        (15, &["a", "b"], "invented 1"),
        (24, &["a"], "lost 0"),
        (25, &["a"], "lost 1"),
    ];
    for (instant, values, expected) in rows {
        let log = vec![values.iter().map(ToString::to_string).collect::<Vec<_>>()];
        let verdict = check(&[history.as_of(*instant)], &log).to_string();
        assert!(
            verdict.contains(expected),
            "{instant} {values:?}: {verdict}"
        );
    }
}
