use super::*;
use crate::base::time::Instant;
use crate::server::admission::Admission;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Waker;

/// Answers that a test finishes in the order it likes.
#[derive(Clone, Default)]
struct Answers(Rc<RefCell<Vec<Option<&'static str>>>>);

impl Answers {
    fn later(&self) -> Dispatched {
        let index = self.0.borrow().len();
        self.0.borrow_mut().push(None);
        let answers = self.clone();
        Dispatched::Later(Box::pin(poll_fn(move |_| {
            match answers.0.borrow_mut()[index].take() {
                Some(text) => Poll::Ready(frame(text)),
                None => Poll::Pending,
            }
        })))
    }

    fn finish(&self, index: usize, text: &'static str) {
        self.0.borrow_mut()[index] = Some(text);
    }
}

fn frame(text: &'static str) -> Reply {
    Reply::Frame {
        head: Bytes::from_static(text.as_bytes()),
        rest: Vec::new(),
        permit: None,
    }
}

fn push(queue: &mut ReplyQueue, state: Dispatched) {
    queue.push(state, request(Order::Free, &Admission::new(1 << 20)));
}

fn request(order: Order, admission: &Rc<Admission>) -> InFlight {
    InFlight {
        order,
        request_bytes: 10,
        claim: Some(admission.claim(10, 10, Instant(0))),
        decoded: None,
        meter: None,
    }
}

fn advance(queue: &mut ReplyQueue) -> String {
    queue.advance(&mut Context::from_waker(Waker::noop()));
    let text = queue
        .slices()
        .iter()
        .map(|slice| String::from_utf8_lossy(slice).into_owned())
        .collect::<Vec<_>>()
        .join("|");
    queue.written(queue.outgoing_bytes());
    text
}

#[test]
fn answers_leave_in_request_order_and_together() {
    let (mut queue, answers) = (ReplyQueue::default(), Answers::default());
    (0..3).for_each(|_| push(&mut queue, answers.later()));
    push(&mut queue, Dispatched::Ready(frame("four")));
    answers.finish(2, "three");
    assert_eq!(advance(&mut queue), "");
    answers.finish(0, "one");
    assert_eq!(advance(&mut queue), "one");
    answers.finish(1, "two");
    assert_eq!(advance(&mut queue), "two|three|four");
    assert_eq!((queue.in_flight(), queue.request_bytes()), (0, 0));
}

#[test]
fn a_short_write_goes_on_in_the_middle_of_a_piece() {
    let mut queue = ReplyQueue::default();
    push(&mut queue, Dispatched::Ready(frame("abc")));
    push(&mut queue, Dispatched::Ready(frame("defg")));
    queue.advance(&mut Context::from_waker(Waker::noop()));
    queue.written(5);
    assert_eq!(queue.outgoing_bytes(), 2);
    assert_eq!(&*queue.slices()[0], b"fg");
}

#[test]
fn a_request_without_answer_sends_nothing() {
    let mut queue = ReplyQueue::default();
    push(&mut queue, Dispatched::Ready(Reply::Nothing));
    push(&mut queue, Dispatched::Ready(frame("next")));
    assert_eq!(advance(&mut queue), "next");
}

#[test]
fn a_close_lets_the_answers_before_it_leave_and_none_after() {
    let (mut queue, answers) = (ReplyQueue::default(), Answers::default());
    push(&mut queue, answers.later());
    push(&mut queue, Dispatched::Ready(Reply::Close));
    push(&mut queue, Dispatched::Ready(frame("never")));
    assert_eq!(advance(&mut queue), "");
    assert!(!queue.is_closing());
    answers.finish(0, "one");
    assert_eq!(advance(&mut queue), "one");
    assert!(queue.is_closing());
    assert_eq!(queue.in_flight(), 0);
}

#[test]
fn a_fetch_counts_until_its_last_byte_has_left() {
    let mut queue = ReplyQueue::default();
    let admission = Admission::new(1 << 20);
    let fetch = request(Order::Fetch, &admission);
    queue.push(Dispatched::Ready(frame("records")), fetch);
    assert_eq!(admission.used(), 10);
    queue.advance(&mut Context::from_waker(Waker::noop()));
    assert_eq!(admission.used(), 0, "the request's memory is free again");
    queue.written(6);
    assert_eq!(queue.fetches(), 1);
    queue.written(1);
    assert_eq!(queue.fetches(), 0);
}

#[test]
fn a_deep_pipeline_is_answered_through_a_bounded_window() {
    let (mut queue, answers) = (ReplyQueue::default(), Answers::default());
    let count = 5 * POLLED_AHEAD_MAX;
    (0..count).for_each(|_| push(&mut queue, answers.later()));
    (0..count).for_each(|index| answers.finish(index, "x"));
    assert_eq!(advance(&mut queue).matches('x').count(), count);
}

/// Requests of twenty bytes can have answers of a megabyte each; a pipeline of them must not be answered all at once.
#[test]
fn known_answers_count_before_their_turn_comes() {
    let (mut queue, answers) = (ReplyQueue::default(), Answers::default());
    push(&mut queue, answers.later());
    push(&mut queue, Dispatched::Ready(frame("known")));
    push(&mut queue, answers.later());
    assert_eq!(queue.answer_bytes(), 5);
    answers.finish(1, "later");
    assert_eq!(advance(&mut queue), "");
    assert_eq!((queue.answer_bytes(), queue.outgoing_bytes()), (10, 0));
    answers.finish(0, "first");
    queue.advance(&mut Context::from_waker(Waker::noop()));
    assert_eq!((queue.answer_bytes(), queue.outgoing_bytes()), (15, 15));
    queue.written(15);
    assert_eq!(queue.answer_bytes(), 0);
}
