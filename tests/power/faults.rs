//! A disk that answers EIO: what is in flight is in doubt, nothing more is written, nothing wrong is read, and after the
//! next power cut everything acknowledged is there.

use crate::device::Faults;
use crate::harness::admin;
use crate::harness::batches::{self, Record};
use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::harness::data;
use crate::harness::kafka::record_bytes;
use crate::harness::wait::wait_until;
use crate::machine::{FileSystem, Machine};
use crate::power_cut::{Cuts, Loss};
use crate::round::Settings;
use ottla::base::prng::Prng;
use ottla::wire::ErrorCode;

const SETTINGS: Settings = Settings {
    shards: 1,
    durability: "flushed",
};
const BATCHES: i64 = 20;
/// All of them are less than a lap waits for.
const VALUE_BYTES: usize = 5_000;
/// Files of a ring, and the bytes of each.
const RING: (usize, u64) = (8, 512 << 10);
/// The whole disk.
const ANYWHERE: std::ops::Range<u64> = 0..u64::MAX;

fn machines(test: &str) -> impl Iterator<Item = Machine> {
    let file_systems = [FileSystem::Ext4, FileSystem::Xfs].into_iter();
    file_systems.filter_map(move |file_system| {
        Machine::new(&format!("{test}_{}", file_system.name()), file_system)
    })
}

fn batch(number: i64) -> Vec<u8> {
    batches::batch(&[Record::value(vec![number as u8; VALUE_BYTES])])
}

fn fill(broker: &Broker) -> Connection {
    let mut client = Connection::open(&broker.address);
    client.create_topic("topic", 1, &[]);
    wait_until(
        "the ring's files, so that nothing but the journal is written",
        || {
            let files = data::files(&broker.data().join("journal")).into_iter();
            let lens = files.filter_map(|file| file.metadata().ok());
            lens.filter(|file| file.len() == RING.1).count() == RING.0
        },
    );
    for number in 0..BATCHES {
        assert_eq!(client.produce("topic", 0, batch(number)), number);
    }
    client
}

/// Each kind of failing request; the disk is well again at once, and has forgotten what it did not flush.
#[test]
fn a_disk_that_fails_once_is_not_believed_again() {
    let writes = Faults {
        writes: ANYWHERE,
        ..Faults::default()
    };
    let flushes = Faults {
        flushes: u32::MAX,
        ..Faults::default()
    };
    let failing = [("write", writes), ("flush", flushes)];
    for machine in machines("power_eio") {
        let formatted = machine.device.image();
        for (what, faults) in &failing {
            let mounted = machine.switch_on(formatted.clone());
            let mut broker = SETTINGS.start(&machine, &mounted);
            let mut client = fill(&broker);
            machine.device.fail(faults.clone());
            let answer = client.try_produce("topic", 0, batch(BATCHES));
            let code = answer.expect("an answer").error_code;
            let code = ErrorCode::from_code(code).expect("Kafka's");
            machine.device.fail(Faults::default());
            expect_failed(&broker, what);
            broker.kill();
            drop(broker);
            let recording = machine.device.take_recording();
            drop(mounted);

            let end = recording.events.len();
            let image = Cuts::of(&recording).at(end, Loss::Everything, &mut Prng::new(0));
            let mounted = machine.switch_on(image);
            let broker = SETTINGS.start(&machine, &mounted);
            let mut client = Connection::open(&broker.address);
            let found = client.read_all("topic", 0);
            let more = match code {
                ErrorCode::RequestTimedOut => 0..=1,
                // Something else came upon the fault first, and the batch was not taken.
                ErrorCode::KafkaStorageError => 0..=0,
                _ => panic!("{what}: {code:?}"),
            };
            let unknown = found.len() as i64 - BATCHES;
            assert!(more.contains(&unknown), "{what}: {unknown} after {code:?}");
            for (stored, number) in found.iter().zip(0..) {
                let value = stored.records[0].value.as_ref().expect("a value");
                assert!(value[..] == vec![number; VALUE_BYTES], "{what}: {number}");
            }
            let next = found.len() as i64;
            assert_eq!(client.produce("topic", 0, batch(next)), next, "{what}");
        }
    }
}

fn expect_failed(broker: &Broker, what: &str) {
    let mut client = Connection::open(&broker.address);
    for _ in 0..2 {
        let code = client.refused("topic", 0, batch(0));
        assert_eq!(code, ErrorCode::KafkaStorageError, "{what}");
    }
    let (status, text) = admin::get(&broker.admin, "/health/ready").expect("an answer");
    assert_eq!(status, 503, "{what}: {text}");
    assert_eq!(broker.metrics().known("ottla_directory_failed"), 1.0);
    let line = broker.logged("the data directory failed");
    assert!(line.contains("disk/data/"), "{what}: {line}");
}

/// What cannot be read is not served, and served again when it can.
#[test]
fn a_disk_that_cannot_be_read_fails_the_fetch_alone() {
    for machine in machines("power_unreadable") {
        let mounted = machine.switch_on(machine.device.image());
        let mut broker = SETTINGS.start(&machine, &mounted);
        fill(&broker);
        broker.stop();
        // With nothing in memory.
        broker.restart();
        let mut client = Connection::open(&broker.address);
        machine.device.fail(Faults {
            reads: ANYWHERE,
            ..Faults::default()
        });
        let data = client.fetch("topic", 0, 0);
        assert_eq!(data.error_code, ErrorCode::KafkaStorageError.code());
        assert!(record_bytes(&data).is_empty());
        let line = broker.logged("a read from disk failed");
        assert!(line.contains("disk/data/topics/"), "{line}");
        machine.device.fail(Faults::default());
        assert_eq!(client.read_all("topic", 0).len() as i64, BATCHES);
        assert_eq!(client.produce("topic", 0, batch(BATCHES)), BATCHES);
        broker.stop();
    }
}
