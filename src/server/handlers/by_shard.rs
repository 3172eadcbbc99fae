//! Items of one request on their way to the shards that own them, and their results on the way back.

use crate::base::few::Few;
use crate::base::ids::ShardId;
use crate::server::errors::Unanswered;
use crate::shard::request::{Request, Response};
use crate::shard::{Answer, ShardHandle};
use smallvec::smallvec;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Items by shard, each with the place of its result in the answer.
pub(super) struct ByShard<Item, Place>(Few<Part<Item, Place>>);

/// What one shard gets.
struct Part<Item, Place> {
    shard: ShardId,
    items: Few<Item>,
    places: Few<Place>,
}

/// One answer per shard, under way.
pub(super) struct Sent<Place>(Few<(Answer, Few<Place>)>);

impl<Item, Place> ByShard<Item, Place> {
    pub(super) fn new() -> ByShard<Item, Place> {
        ByShard(Few::new())
    }

    pub(super) fn push(&mut self, shard: ShardId, item: Item, place: Place) {
        let index = self.0.partition_point(|part| part.shard < shard);
        match self.0.get_mut(index).filter(|part| part.shard == shard) {
            Some(part) => {
                part.items.push(item);
                part.places.push(place);
            }
            None => {
                let (items, places) = (smallvec![item], smallvec![place]);
                let part = Part {
                    shard,
                    items,
                    places,
                };
                self.0.insert(index, part);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sends one request to each shard, now.
    pub(super) fn send(
        self,
        handle: &ShardHandle,
        mut request: impl FnMut(Few<Item>) -> Request,
    ) -> Sent<Place> {
        let parts = self.0.into_iter();
        let sent = parts.map(|part| (handle.send(part.shard, request(part.items)), part.places));
        Sent(sent.collect())
    }
}

impl<Place> Sent<Place> {
    /// Hands each item's result to `put`. `results` takes the list out of the right kind of answer.
    pub(super) async fn collect<Found>(
        mut self,
        results: impl Fn(Response) -> Result<Few<Found>, Response>,
        mut put: impl FnMut(Place, Result<Found, Unanswered>),
    ) {
        poll_fn(|context| self.poll_collect(context, &results, &mut put)).await;
    }

    /// Like [`Sent::collect`]; ready when every shard has answered.
    pub(super) fn poll_collect<Found>(
        &mut self,
        context: &mut Context<'_>,
        results: impl Fn(Response) -> Result<Few<Found>, Response>,
        mut put: impl FnMut(Place, Result<Found, Unanswered>),
    ) -> Poll<()> {
        while let Some((answer, places)) = self.0.last_mut() {
            let response = ready!(Pin::new(answer).poll(context));
            let places = std::mem::take(places);
            self.0.pop();
            let found = match results(response) {
                Ok(found) if found.len() == places.len() => Ok(found),
                Ok(_) => Err(Unanswered::Mismatch),
                Err(other) => Err(Unanswered::from(other)),
            };
            match found {
                Ok(found) => places
                    .into_iter()
                    .zip(found)
                    .for_each(|(place, found)| put(place, Ok(found))),
                Err(reason) => places.into_iter().for_each(|place| put(place, Err(reason))),
            }
        }
        Poll::Ready(())
    }
}

/// Defines a function that takes the list out of one variant of `Response`.
macro_rules! results_of {
    ($name:ident, $variant:ident, $found:ty) => {
        fn $name(
            response: crate::shard::request::Response,
        ) -> Result<crate::base::few::Few<$found>, crate::shard::request::Response> {
            match response {
                crate::shard::request::Response::$variant(found) => Ok(found),
                other => Err(other),
            }
        }
    };
}
pub(super) use results_of;
