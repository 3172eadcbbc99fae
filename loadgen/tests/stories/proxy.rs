//! Stands between a generator and its broker, and lies about one record in so many.

use bytes::Bytes;
use ottla::base::offset::Offset;
use ottla::record::iterate::Payload;
use ottla::record::{BatchBuilder, BatchHeader, Batches, Codec, NewRecord};
use ottla::wire::fetch::{FetchResponse, RecordPieces};
use ottla::wire::frame::{request_frame, response_frame};
use ottla::wire::header::{RequestHeader, ResponseHeader};
use ottla::wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use ottla::wire::{ApiKey, Decode, Reader};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lie {
    None,
    Drop,
    Repeat,
    /// With the record behind it.
    Swap,
    /// A bit of the value; the checksum stays as it was.
    Flip,
    /// A bit of the value, under a checksum that fits.
    FlipAndSeal,
}

/// Lies about the record at offset `at` of every `every`, in every partition and in every answer alike.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) lie: Lie,
    pub(crate) every: i64,
    pub(crate) at: i64,
}

/// What was asked on a connection and is not answered yet.
type Asked = Arc<Mutex<VecDeque<(ApiKey, i16)>>>;

/// Listens for as long as the test runs; its address.
pub(crate) fn start(broker: &str, plan: Plan) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let (broker, own) = (broker.to_owned(), address.clone());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&broker).expect("the broker runs");
            let asked = Asked::default();
            let copies = (
                client.try_clone().expect("a socket"),
                server.try_clone().expect("a socket"),
            );
            let questions = asked.clone();
            thread::spawn(move || relay_questions(copies.0, copies.1, &questions));
            let own = own.clone();
            thread::spawn(move || relay_answers(server, client, &asked, &own, plan));
        }
    });
    address
}

fn relay_questions(mut client: TcpStream, mut server: TcpStream, asked: &Asked) {
    while let Ok(frame) = read_frame(&mut client) {
        let header = RequestHeader::decode(&mut Reader::new(frame.clone())).expect("a request");
        asked
            .lock()
            .expect("no panic")
            .push_back((header.api_key, header.api_version));
        if write_frame(&mut server, &frame).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

fn relay_answers(
    mut server: TcpStream,
    mut client: TcpStream,
    asked: &Asked,
    own: &str,
    plan: Plan,
) {
    while let Ok(frame) = read_frame(&mut server) {
        let (key, version) = asked
            .lock()
            .expect("no panic")
            .pop_front()
            .expect("it was asked");
        let sent = match key {
            ApiKey::Fetch => client.write_all(&fetch_answer(frame, version, plan)),
            ApiKey::Metadata => client.write_all(&metadata_answer(frame, version, own)),
            _ => write_frame(&mut client, &frame),
        };
        if sent.is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

/// Clients must come back to the proxy, not to the broker behind it.
fn metadata_answer(frame: Bytes, version: i16, own: &str) -> Bytes {
    use ottla::wire::messages::metadata::MetadataResponse;
    let (header, mut answer) = decode::<MetadataResponse>(ApiKey::Metadata, frame, version);
    let (host, port) = own.rsplit_once(':').expect("an address");
    for broker in &mut answer.brokers {
        broker.host = host.to_owned();
        broker.port = port.parse().expect("a port");
    }
    response_frame(ApiKey::Metadata, version, header.correlation_id, &answer)
}

fn fetch_answer(frame: Bytes, version: i16, plan: Plan) -> Bytes {
    let (header, mut answer) = decode::<FetchResponse>(ApiKey::Fetch, frame, version);
    for data in answer
        .responses
        .iter_mut()
        .flat_map(|topic| &mut topic.partitions)
    {
        let bytes = data.records.take().unwrap_or_default().into_bytes();
        let batches = Batches::new(&bytes).flatten();
        let pieces = batches
            .map(|(_, header, batch)| lie(&header, batch, plan))
            .collect();
        data.records = Some(RecordPieces(pieces));
    }
    response_frame(ApiKey::Fetch, version, header.correlation_id, &answer)
}

fn decode<T: Decode>(key: ApiKey, frame: Bytes, version: i16) -> (ResponseHeader, T) {
    let mut reader = Reader::of_answer(frame);
    let header = ResponseHeader::decode(&mut reader, ResponseHeader::version(key, version))
        .expect("a header");
    let answer = T::decode(&mut reader, version).expect("an answer");
    (header, answer)
}

/// The batch, or what is told in its place.
fn lie(header: &BatchHeader, batch: &[u8], plan: Plan) -> Bytes {
    let offsets = header.base_offset.0..header.next_offset().0;
    let index = offsets
        .clone()
        .position(|offset| offset % plan.every == plan.at);
    let (Some(index), false) = (index, plan.lie == Lie::None) else {
        return Bytes::copy_from_slice(batch);
    };
    let payload = Payload::open(batch).expect("a batch");
    let mut records: Vec<(Option<Vec<u8>>, Vec<u8>)> = payload
        .records()
        .map(|record| record.expect("a record"))
        .map(|record| {
            (
                record.key.map(<[u8]>::to_vec),
                record.value.expect("a value").to_vec(),
            )
        })
        .collect();
    match plan.lie {
        Lie::None => {}
        Lie::Drop => drop(records.remove(index)),
        Lie::Repeat => records.insert(index, records[index].clone()),
        Lie::Swap => records.swap(index, index + 1),
        Lie::FlipAndSeal => *records[index].1.last_mut().expect("a value") ^= 1,
        Lie::Flip => {
            let mut flipped = batch.to_vec();
            *flipped.last_mut().expect("a batch") ^= 1;
            return flipped.into();
        }
    }
    rebuilt(header, &records)
}

/// At the offset of the batch it replaces, and sound in every way.
fn rebuilt(header: &BatchHeader, records: &[(Option<Vec<u8>>, Vec<u8>)]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    for (key, value) in records {
        builder.push(&NewRecord {
            timestamp: header.base_timestamp,
            key: key.as_deref(),
            value: Some(value),
            headers: &[],
        });
    }
    let mut batch = builder.build().to_vec();
    let Offset(base) = header.base_offset;
    batch[..8].copy_from_slice(&base.to_be_bytes());
    batch.into()
}

/// Records in partition 0; none while there is no such topic.
pub(crate) fn log_end(address: &str, topic: &str) -> Option<i64> {
    const VERSION: i16 = 1;
    let mut stream = TcpStream::connect(address).expect("the broker runs");
    let header = RequestHeader {
        api_key: ApiKey::ListOffsets,
        api_version: VERSION,
        correlation_id: 1,
        client_id: None,
        unknown_tagged_fields: Vec::new(),
    };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: topic.to_owned(),
            partitions: vec![ListOffsetsPartition {
                timestamp: -1,
                ..ListOffsetsPartition::default()
            }],
            ..ListOffsetsTopic::default()
        }],
        ..ListOffsetsRequest::default()
    };
    stream
        .write_all(&request_frame(&header, &request))
        .expect("sent");
    let frame = read_frame(&mut stream).expect("an answer");
    let (_, answer) = decode::<ListOffsetsResponse>(ApiKey::ListOffsets, frame, VERSION);
    let partition = answer.topics.first()?.partitions.first()?;
    (partition.error_code == 0).then_some(partition.offset)
}

fn read_frame(stream: &mut TcpStream) -> io::Result<Bytes> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame.into())
}

fn write_frame(stream: &mut TcpStream, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).expect("a frame is small");
    stream.write_all(&[&length.to_be_bytes(), frame].concat())
}
