//! Questions to the shards, and their answers. The only place where the two runtimes meet.
//!
//! ```text
//! admin thread ── snapshots, at most 4 a shard ──> shard     answered within 1 s
//!              ── walks, at most 4 a shard ──────> shard     one after the other, each within 5 s
//! ```

use crate::shard::ShardHandle;
use crate::shard::request::{Ends, Observation, Observed, Request, Response};
use flume::{Receiver, Sender};
use futures_lite::future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Questions of one kind that wait for one shard; another one finds the shard stuck.
const QUESTIONS_MAX: usize = 4;
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// For what looks at every partition or committed offset.
const WALK_WAIT: Duration = Duration::from_secs(5);

struct Question {
    what: Observation,
    answer: Sender<Observed>,
}

/// The admin thread's side.
pub(super) struct AdminEnd {
    shards: Vec<Lanes>,
}

/// A walk over all partitions or groups keeps nobody who asks for health.
struct Lanes {
    snapshots: Sender<Question>,
    walks: Sender<Question>,
}

/// One shard's side.
pub struct ShardEnd {
    snapshots: Receiver<Question>,
    walks: Receiver<Question>,
}

pub(super) fn bridge(shards: u16) -> (AdminEnd, Vec<ShardEnd>) {
    let ends = (0..shards).map(|_| {
        let (snapshots, snapshot_questions) = flume::bounded(QUESTIONS_MAX);
        let (walks, walk_questions) = flume::bounded(QUESTIONS_MAX);
        let end = ShardEnd {
            snapshots: snapshot_questions,
            walks: walk_questions,
        };
        (Lanes { snapshots, walks }, end)
    });
    let (shards, ends) = ends.unzip();
    (AdminEnd { shards }, ends)
}

impl AdminEnd {
    /// What every shard says, in their order; `None`: it did not answer in time.
    pub(super) async fn ask(&self, what: Observation) -> Vec<Option<Observed>> {
        let longest = match what {
            Observation::Snapshot => ANSWER_WAIT,
            _ => WALK_WAIT,
        };
        let ask = |shard| ask(shard, what.clone());
        let asked: Vec<Option<Receiver<Observed>>> = self.shards.iter().map(ask).collect();
        let mut wait = pin!(tokio::time::sleep(longest));
        let mut answers = Vec::with_capacity(asked.len());
        for answer in asked {
            let Some(answer) = answer else {
                answers.push(None);
                continue;
            };
            // One wait for all: what has come by its end counts.
            if wait.is_elapsed() {
                answers.push(answer.try_recv().ok());
                continue;
            }
            let received = async { answer.recv_async().await.ok() };
            let waited = async {
                wait.as_mut().await;
                None
            };
            answers.push(future::or(received, waited).await);
        }
        answers
    }

    /// High watermarks of all partitions, if every shard answers.
    pub(super) async fn ends(&self) -> Option<Ends> {
        let mut all = Vec::new();
        for answer in self.ask(Observation::Ends).await {
            let Some(Observed::Ends(ends)) = answer else {
                return None;
            };
            all.extend(ends);
        }
        all.sort_unstable();
        Some(Arc::new(all))
    }
}

/// `None` when the shard has not even taken earlier questions, or is gone.
fn ask(shard: &Lanes, what: Observation) -> Option<Receiver<Observed>> {
    let (answer, answered) = flume::bounded(1);
    let lane = match what {
        Observation::Snapshot => &shard.snapshots,
        _ => &shard.walks,
    };
    lane.try_send(Question { what, answer }).ok()?;
    Some(answered)
}

impl ShardEnd {
    /// Answers questions on the shard's own executor, until the admin plane stops.
    pub async fn serve(self, handle: ShardHandle) {
        future::zip(
            answer_all(&self.snapshots, &handle),
            answer_all(&self.walks, &handle),
        )
        .await;
    }

    #[cfg(test)]
    pub(super) async fn answer_once(&self, observed: Observed) {
        if let Ok(question) = self.snapshots.recv_async().await {
            let _ = question.answer.try_send(observed);
        }
    }
}

async fn answer_all(questions: &Receiver<Question>, handle: &ShardHandle) {
    while let Ok(Question { what, answer }) = questions.recv_async().await {
        // Whoever asked may have given up, now or later.
        if answer.is_disconnected() {
            continue;
        }
        let asked = handle.send(handle.id(), Request::Observe(what));
        if let Response::Observed(observed) = asked.await {
            let _ = answer.try_send(observed);
        }
    }
}
