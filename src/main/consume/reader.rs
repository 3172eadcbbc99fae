//! Partitions being read: positions, fetches to all leaders at once, and what to do when a leader or the log is not
//! where it was.

use super::Sink;
use crate::client::connection::Connection;
use crate::client::{Client, EARLIEST, Found, LATEST, Place, Wanted, pause};
use crate::failure::Failure;
use crate::place::From;
use bytes::Bytes;
use ottla::base::limits::{TOOL_FETCH_BYTES, TOOL_FETCH_PARTITION_BYTES, TOOL_FETCH_WAIT_MS};
use ottla::record::iterate::Payload;
use ottla::record::{BatchHeader, Batches, crc_matches};
use ottla::wire::ErrorCode;
use ottla::wire::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use std::collections::BTreeMap;
use std::time::Instant;

pub(super) struct Reader {
    /// Up to the ends that were found at the start, and no further.
    is_bounded: bool,
    places: BTreeMap<Place, Position>,
    leaders: BTreeMap<Place, i32>,
    /// By leader.
    links: BTreeMap<i32, Connection>,
    /// Which place is asked first: each in turn, for answers are bounded.
    turn: usize,
    /// Since when nothing but failures came.
    failing_since: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Position {
    next: i64,
    end: i64,
}

impl Reader {
    pub(super) fn new(is_bounded: bool) -> Reader {
        Reader {
            is_bounded,
            places: BTreeMap::new(),
            leaders: BTreeMap::new(),
            links: BTreeMap::new(),
            turn: 0,
            failing_since: None,
        }
    }

    pub(super) fn begin(
        &mut self,
        client: &mut Client,
        places: &[Place],
        from: From,
    ) -> Result<(), Failure> {
        self.resume(client, places, &Found::new(), from)
    }

    /// From the offsets that a group has committed, elsewhere from `from`.
    pub(super) fn resume(
        &mut self,
        client: &mut Client,
        places: &[Place],
        committed: &Found,
        from: From,
    ) -> Result<(), Failure> {
        let starts = client.ends(places, EARLIEST)?;
        let ends = client.ends(places, LATEST)?;
        let at_time = match from {
            From::Time(timestamp) => {
                let wanted = places.iter().map(|place| Wanted {
                    place: place.clone(),
                    timestamp,
                });
                client.offsets(&wanted.collect::<Vec<_>>())?
            }
            _ => Found::new(),
        };
        for place in places {
            let log = (starts[place], ends[place]);
            let known = committed
                .get(place)
                .filter(|offset| (log.0..=log.1).contains(offset));
            let next = match known {
                Some(offset) => *offset,
                None => first(place, from, log, at_time.get(place).copied())?,
            };
            let end = log.1;
            self.places.insert(place.clone(), Position { next, end });
        }
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_bounded
            && self
                .places
                .values()
                .all(|position| position.next >= position.end)
    }

    /// The offset after what was read of each place.
    pub(super) fn positions(&self) -> Found {
        let places = self.places.iter();
        places
            .map(|(place, position)| (place.clone(), position.next))
            .collect()
    }

    /// Asks all leaders once, and gives what they have to `sink`.
    pub(super) fn poll(&mut self, client: &mut Client, sink: &mut Sink) -> Result<(), Failure> {
        match self.poll_once(client, sink) {
            Ok(()) => {
                self.failing_since = None;
                Ok(())
            }
            Err(failure) if failure.is_connection() || failure.is_passing() => {
                let since = *self.failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() > client.timeout {
                    return Err(failure);
                }
                self.leaders.clear();
                self.links.clear();
                pause();
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    fn poll_once(&mut self, client: &mut Client, sink: &mut Sink) -> Result<(), Failure> {
        let unread: Vec<Place> = self.unread();
        if unread.is_empty() {
            // Nothing is assigned to this member: it waits all the same.
            pause();
            return Ok(());
        }
        if self.leaders.is_empty() {
            let all: Vec<Place> = self.places.keys().cloned().collect();
            self.leaders = client.leaders(&all)?;
        }
        let mut by_leader: BTreeMap<i32, Vec<Place>> = BTreeMap::new();
        for place in unread {
            by_leader
                .entry(self.leaders[&place])
                .or_default()
                .push(place);
        }
        let mut sent = Vec::new();
        for (leader, places) in by_leader {
            let question = self.question(&places);
            let link = match self.links.get_mut(&leader) {
                Some(link) => link,
                None => {
                    let link = client.connect(leader)?;
                    self.links.entry(leader).or_insert(link)
                }
            };
            sent.push((leader, link.send(&question)?));
        }
        for (leader, sent) in sent {
            let link = self.links.get_mut(&leader).expect("it was asked");
            let answer = link.receive::<FetchRequest>(sent)?;
            Failure::check("fetch", answer.error_code, None)?;
            for topic in answer.responses {
                for partition in topic.partitions {
                    let place = Place::new(&topic.topic, partition.partition_index);
                    self.take(client, &place, partition, sink)?;
                }
            }
        }
        Ok(())
    }

    /// What has not been read to its end, another one first each time.
    fn unread(&mut self) -> Vec<Place> {
        let is_bounded = self.is_bounded;
        let places = self.places.iter();
        let unread = places.filter(|(_, at)| !is_bounded || at.next < at.end);
        let mut unread: Vec<Place> = unread.map(|(place, _)| place.clone()).collect();
        self.turn = self.turn.wrapping_add(1);
        if !unread.is_empty() {
            let first = self.turn % unread.len();
            unread.rotate_left(first);
        }
        unread
    }

    fn question(&self, places: &[Place]) -> FetchRequest {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for place in places {
            let partition = FetchPartition {
                partition: place.partition,
                current_leader_epoch: -1,
                fetch_offset: self.places[place].next,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: TOOL_FETCH_PARTITION_BYTES,
                ..FetchPartition::default()
            };
            match topics.iter_mut().find(|topic| topic.topic == place.topic) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(FetchTopic {
                    topic: place.topic.clone(),
                    partitions: vec![partition],
                    ..FetchTopic::default()
                }),
            }
        }
        FetchRequest {
            replica_id: -1,
            max_wait_ms: TOOL_FETCH_WAIT_MS,
            min_bytes: 1,
            max_bytes: TOOL_FETCH_BYTES,
            // No session.
            session_epoch: -1,
            topics,
            ..FetchRequest::default()
        }
    }

    fn take(
        &mut self,
        client: &mut Client,
        place: &Place,
        data: PartitionData,
        sink: &mut Sink,
    ) -> Result<(), Failure> {
        if data.error_code == ErrorCode::OffsetOutOfRange.code() {
            return self.find_again(client, place);
        }
        Failure::check(&format!("partition {place}"), data.error_code, None)?;
        let Some(position) = self.places.get_mut(place) else {
            return Ok(());
        };
        let bytes = data
            .records
            .map_or(Bytes::new(), |records| records.into_bytes());
        for batch in Batches::new(&bytes) {
            let damaged = |why: &dyn std::fmt::Display| damaged(place, position.next, why);
            let (_, header, batch) = batch.map_err(|error| damaged(&error))?;
            if !crc_matches(batch) {
                return Err(damaged(&"its checksum is wrong"));
            }
            let end = if self.is_bounded {
                position.end
            } else {
                i64::MAX
            };
            print(place, &header, batch, position, end, sink)?;
            if sink.is_full() || position.next >= end {
                break;
            }
        }
        Ok(())
    }

    /// The log begins later than it did, because records were deleted; or it ends earlier.
    fn find_again(&mut self, client: &mut Client, place: &Place) -> Result<(), Failure> {
        let places = std::slice::from_ref(place);
        let (start, end) = (
            client.ends(places, EARLIEST)?[place],
            client.ends(places, LATEST)?[place],
        );
        let position = self.places.get_mut(place).expect("it is being read");
        if position.next >= start {
            let next = position.next;
            return Err(out_of_range(place, next, (start, end)));
        }
        let gone = start - position.next;
        eprintln!("ottla: partition {place}: {gone} records were deleted before they were read");
        position.next = start;
        Ok(())
    }
}

/// Records of one batch from the position on; markers of transactions are passed over.
fn print(
    place: &Place,
    header: &BatchHeader,
    batch: &[u8],
    position: &mut Position,
    end: i64,
    sink: &mut Sink,
) -> Result<(), Failure> {
    let next = header.next_offset().0;
    if header.attributes.is_control() || next <= position.next {
        position.next = position.next.max(next);
        return Ok(());
    }
    let open = |error| damaged(place, header.base_offset.0, &format!("{error:?}"));
    let payload = Payload::open(batch).map_err(open)?;
    for record in payload.records() {
        let record = record.map_err(open)?;
        let offset = record.offset.0;
        if offset < position.next {
            continue;
        }
        if offset >= end || sink.is_full() {
            return Ok(());
        }
        sink.put(place, header.attributes.timestamp_kind(), record)?;
        position.next = offset + 1;
    }
    // Compaction may have taken the last ones.
    position.next = position.next.max(next);
    Ok(())
}

fn damaged(place: &Place, offset: i64, why: &dyn std::fmt::Display) -> Failure {
    let failure = Failure::new(format!(
        "partition {place}: the batch at offset {offset} cannot be read: {why}"
    ));
    failure.fix(format!(
        "ottla consume {} --from {} goes on behind it",
        place.topic,
        offset + 1
    ))
}

/// Where reading begins in a log that goes from `start` to `end`.
fn first(
    place: &Place,
    from: From,
    (start, end): (i64, i64),
    at_time: Option<i64>,
) -> Result<i64, Failure> {
    Ok(match from {
        From::Beginning => start,
        From::End => end,
        From::Last(count) => (end - count.min(end)).max(start),
        From::Time(_) => at_time.filter(|offset| *offset >= 0).unwrap_or(end),
        From::Offset(offset) if offset > end => {
            return Err(out_of_range(place, offset, (start, end)));
        }
        From::Offset(offset) => offset.max(start),
    })
}

fn out_of_range(place: &Place, offset: i64, (start, end): (i64, i64)) -> Failure {
    let words = format!("offset {offset} lies outside {start} to {end}");
    let code = ErrorCode::OffsetOutOfRange.code();
    Failure::refused(&format!("partition {place}"), code, Some(&words))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log from 10 to 100.
    #[test]
    fn reading_begins_inside_the_log() {
        let place = Place::new("t", 0);
        for (from, at_time, next) in [
            (From::Beginning, None, Some(10)),
            (From::End, None, Some(100)),
            (From::Offset(5), None, Some(10)),
            (From::Offset(50), None, Some(50)),
            (From::Offset(100), None, Some(100)),
            (From::Offset(101), None, None),
            (From::Last(1), None, Some(99)),
            (From::Last(1_000), None, Some(10)),
            (From::Last(i64::MAX), None, Some(10)),
            (From::Time(1), Some(20), Some(20)),
            (From::Time(1), Some(-1), Some(100)),
        ] {
            assert_eq!(
                first(&place, from, (10, 100), at_time).ok(),
                next,
                "{from:?}"
            );
        }
    }
}
