use super::*;
use ottla::record::crc_matches;
use ottla::wire::header::RequestHeader;
use ottla::wire::{Decode as _, Reader};

fn recipe(codec: Codec, version: i16, run: Option<u64>) -> Recipe {
    Recipe {
        topic: "t".into(),
        partitions: 3,
        version,
        acks: -1,
        records: 4,
        values: Values::Filler { bytes: (30, 90) },
        keys: Keys::Uniform,
        key_count: 100,
        codec,
        idempotent: true,
        run,
        seed: 9,
        now_ms: 1_700_000_000_000,
    }
}

/// What a broker reads: the request and its one batch.
fn read(frame: &[u8]) -> (RequestHeader, ProduceRequest, Bytes) {
    let mut reader = Reader::new(Bytes::copy_from_slice(&frame[4..]));
    assert_eq!(
        frame.len() - 4,
        u32::from_be_bytes(*frame.first_chunk().unwrap()) as usize
    );
    let header = RequestHeader::decode(&mut reader).expect("a header");
    let request = ProduceRequest::decode(&mut reader, header.api_version).expect("a request");
    reader.finish().expect("no byte is left");
    let batch = request.topic_data[0].partition_data[0]
        .records
        .clone()
        .unwrap();
    (header, request, batch)
}

#[test]
fn every_sent_frame_is_a_sound_request_with_its_ids() {
    for (codec, version, run) in [
        (Codec::None, 7, None),
        (Codec::None, 12, None),
        (Codec::Zstd, 12, None),
        (Codec::None, 12, Some(5)),
        (Codec::None, 8, Some(5)),
        (Codec::Lz4, 12, Some(5)),
    ] {
        let pool = Pool::new(recipe(codec, version, run));
        for (batch, partition) in [(0u64, 0u16), (1, 2), (40, 1)] {
            let stream = Stream {
                connection: 3,
                partition,
            };
            let parcel = Parcel { stream, batch };
            let mut out = Outbound::default();
            pool.write(&parcel, 77, Some((1_234, 6)), &mut out);
            let mut wire = Vec::new();
            out.write(&mut wire).expect("written");
            let (header, request, batch_bytes) = read(&wire);
            assert_eq!((header.correlation_id, header.api_version), (77, version));
            let data = &request.topic_data[0].partition_data[0];
            assert_eq!(data.index, i32::from(partition));
            assert!(crc_matches(&batch_bytes), "{codec:?} {version} {run:?}");
            let payload = Payload::open(&batch_bytes).expect("a batch");
            let header = payload.header();
            assert_eq!((header.producer_id.0, header.producer_epoch.0), (1_234, 6));
            assert_eq!(header.base_sequence as u64, batch * 4);
            assert_eq!(payload.records().count(), 4);
            let Some(run) = run else { continue };
            for (number, record) in payload.records().enumerate() {
                let record = record.expect("a record");
                let sequence = batch * 4 + number as u64;
                let stamp = Stamp {
                    run,
                    stream,
                    sequence,
                };
                assert_eq!(Stamp::read(record.key, record.value.unwrap()), Some(stamp));
            }
        }
    }
}

#[test]
fn without_idempotence_a_send_changes_nothing_but_the_correlation() {
    let mut recipe = recipe(Codec::None, 12, None);
    recipe.idempotent = false;
    let pool = Pool::new(recipe);
    let stream = Stream {
        connection: 0,
        partition: 0,
    };
    let mut out = Outbound::default();
    pool.write(&Parcel { stream, batch: 0 }, 1, None, &mut out);
    let mut wire = Vec::new();
    out.write(&mut wire).expect("written");
    let (_, _, batch) = read(&wire);
    assert!(crc_matches(&batch));
}
