//! Questions to the shards, and their answers. The only place where the two runtimes meet.
//!
//! ```text
//! admin thread ── questions, at most 4 a shard ──> shard
//!              <── one answer each, within 1 s ───
//! ```

use crate::metrics::ShardSnapshot;
use crate::shard::ShardHandle;
use crate::shard::request::{Request, Response};
use flume::{Receiver, Sender};
use futures_lite::future;
use std::pin::pin;
use std::time::Duration;

/// Questions that wait for one shard; another one finds the shard stuck.
const QUESTIONS_MAX: usize = 4;
const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// What one shard says of itself.
pub(super) struct Report {
    pub(super) snapshot: ShardSnapshot,
    /// The data directory has failed: nothing is written any more.
    pub(super) is_failed: bool,
}

struct Question {
    answer: Sender<Report>,
}

/// The admin thread's side.
pub(super) struct AdminEnd {
    shards: Vec<Sender<Question>>,
}

/// One shard's side.
pub struct ShardEnd {
    questions: Receiver<Question>,
}

pub(super) fn bridge(shards: u16) -> (AdminEnd, Vec<ShardEnd>) {
    let ends = (0..shards).map(|_| flume::bounded(QUESTIONS_MAX));
    let (senders, ends) = ends
        .map(|(sender, questions)| (sender, ShardEnd { questions }))
        .unzip();
    (AdminEnd { shards: senders }, ends)
}

impl AdminEnd {
    /// What every shard says, in their order; `None`: it did not answer in time.
    pub(super) async fn reports(&self) -> Vec<Option<Report>> {
        let asked: Vec<Option<Receiver<Report>>> = self.shards.iter().map(ask).collect();
        let mut wait = pin!(tokio::time::sleep(ANSWER_WAIT));
        let mut reports = Vec::with_capacity(asked.len());
        for answer in asked {
            let Some(answer) = answer else {
                reports.push(None);
                continue;
            };
            // One wait for all: what has come by its end counts.
            if wait.is_elapsed() {
                reports.push(answer.try_recv().ok());
                continue;
            }
            let received = async { answer.recv_async().await.ok() };
            let waited = async {
                wait.as_mut().await;
                None
            };
            reports.push(future::or(received, waited).await);
        }
        reports
    }
}

/// `None` when the shard has not even taken earlier questions, or is gone.
fn ask(shard: &Sender<Question>) -> Option<Receiver<Report>> {
    let (answer, report) = flume::bounded(1);
    shard.try_send(Question { answer }).ok()?;
    Some(report)
}

impl ShardEnd {
    /// Answers questions on the shard's own executor, until the admin plane stops.
    pub async fn serve(self, handle: ShardHandle) {
        while let Ok(question) = self.questions.recv_async().await {
            let answer = handle.send(handle.id(), Request::Snapshot).await;
            if let Response::Snapshot(snapshot) = answer {
                let report = Report {
                    snapshot: *snapshot,
                    is_failed: handle.is_failed(),
                };
                // Whoever asked may have given up.
                let _ = question.answer.try_send(report);
            }
        }
    }

    #[cfg(test)]
    pub(super) async fn answer_once(&self, report: Report) {
        if let Ok(question) = self.questions.recv_async().await {
            let _ = question.answer.try_send(report);
        }
    }
}
