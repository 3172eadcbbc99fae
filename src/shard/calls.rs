//! Requests over several partitions whose items are answered one by one, in any order.
//!
//! A call takes a block of tickets: the first is its own, the others belong to its items in order.

use super::request::{Appended, DeleteRecordsError, ProduceError, Response};
use crate::base::few::Few;
use crate::base::ids::{ShardId, Ticket};
use crate::base::offset::Offset;
use smallvec::smallvec;
use std::collections::BTreeMap;

/// Whom to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    pub(super) shard: ShardId,
    pub(super) ticket: Ticket,
}

#[derive(Default)]
pub(super) struct Calls(BTreeMap<Ticket, Call>);

struct Call {
    origin: Origin,
    answers: Answers,
    missing: usize,
}

/// What the items of a call are answered with; which kind, the first answer or the opener says.
enum Answers {
    Produce(Few<Option<Result<Appended, ProduceError>>>),
    DeleteRecords(Few<Option<Result<Offset, DeleteRecordsError>>>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallKind {
    Produce,
    DeleteRecords,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ItemAnswer {
    Produce(Result<Appended, ProduceError>),
    DeleteRecords(Result<Offset, DeleteRecordsError>),
}

/// A call with all its answers.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) origin: Origin,
    pub(super) response: Response,
}

impl Calls {
    /// `call` begins a block of one ticket and one for each item, of which there is at least one.
    pub(super) fn open(&mut self, call: Ticket, origin: Origin, kind: CallKind, count: usize) {
        assert!(count > 0, "a call without items has no last answer");
        let answers = match kind {
            CallKind::Produce => Answers::Produce(smallvec![None; count]),
            CallKind::DeleteRecords => Answers::DeleteRecords(smallvec![None; count]),
        };
        let call_state = Call {
            origin,
            answers,
            missing: count,
        };
        let before = self.0.insert(call, call_state);
        assert!(before.is_none(), "tickets are unique");
    }

    /// Which kind of call an open item belongs to.
    pub(super) fn kind_of(&self, item: Ticket) -> Option<CallKind> {
        let (call, state) = self.0.range(..item).next_back()?;
        let index = usize::try_from(item.0 - call.0 - 1).ok()?;
        state.is_open(index).then_some(match state.answers {
            Answers::Produce(_) => CallKind::Produce,
            Answers::DeleteRecords(_) => CallKind::DeleteRecords,
        })
    }

    /// Answers an item. The answer to an item whose call was given up is dropped.
    pub(super) fn answer(&mut self, item: Ticket, answer: ItemAnswer) -> Option<Finished> {
        let (call, state) = self.0.range_mut(..item).next_back()?;
        let call = *call;
        let index = usize::try_from(item.0 - call.0 - 1).ok()?;
        if !state.is_open(index) {
            return None;
        }
        match (&mut state.answers, answer) {
            (Answers::Produce(answers), ItemAnswer::Produce(answer)) => {
                answers[index] = Some(answer);
            }
            (Answers::DeleteRecords(answers), ItemAnswer::DeleteRecords(answer)) => {
                answers[index] = Some(answer);
            }
            _ => panic!("an item is answered in the kind of its call"),
        }
        state.missing -= 1;
        if state.missing > 0 {
            return None;
        }
        let state = self.0.remove(&call).expect("just found");
        Some(Finished {
            origin: state.origin,
            response: state.answers.into_response(),
        })
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl Call {
    fn is_open(&self, index: usize) -> bool {
        match &self.answers {
            Answers::Produce(answers) => matches!(answers.get(index), Some(None)),
            Answers::DeleteRecords(answers) => matches!(answers.get(index), Some(None)),
        }
    }
}

impl Answers {
    fn into_response(self) -> Response {
        fn all<T>(answers: Few<Option<T>>) -> Few<T> {
            let all = answers.into_iter();
            all.map(|answer| answer.expect("none is missing")).collect()
        }
        match self {
            Answers::Produce(answers) => Response::Produce(all(answers)),
            Answers::DeleteRecords(answers) => Response::DeleteRecords(all(answers)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin = Origin {
        shard: ShardId(1),
        ticket: Ticket(7),
    };

    fn opened(call: Ticket, kind: CallKind, count: usize) -> Calls {
        let mut calls = Calls::default();
        calls.open(call, ORIGIN, kind, count);
        calls
    }

    #[test]
    fn a_call_is_answered_once_all_its_items_are_in_their_order() {
        let mut calls = opened(Ticket(10), CallKind::DeleteRecords, 2);
        let answer = |offset| ItemAnswer::DeleteRecords(Ok(Offset(offset)));
        assert!(calls.answer(Ticket(12), answer(2)).is_none());
        assert!(
            calls.answer(Ticket(12), answer(3)).is_none(),
            "answered already"
        );
        let finished = calls.answer(Ticket(11), answer(1)).expect("the last one");
        assert_eq!(finished.origin, ORIGIN);
        let Response::DeleteRecords(answers) = finished.response else {
            panic!("{:?}", finished.response);
        };
        assert_eq!(answers[..], [Ok(Offset(1)), Ok(Offset(2))]);
        assert_eq!(calls.len(), 0);
    }

    #[test]
    fn an_answer_that_comes_too_late_is_dropped() {
        let mut calls = opened(Ticket(10), CallKind::Produce, 1);
        let unknown = ItemAnswer::Produce(Err(ProduceError::FateUnknown));
        assert_eq!(calls.kind_of(Ticket(11)), Some(CallKind::Produce));
        assert!(calls.answer(Ticket(11), unknown).is_some());
        assert!(calls.answer(Ticket(11), unknown).is_none());
        assert!(calls.answer(Ticket(99), unknown).is_none());
        assert_eq!(calls.kind_of(Ticket(11)), None);
    }
}
