use super::*;
use crate::base::ids::Uuid;
use crate::control::controller::Controller;
use crate::control::fixture::*;

fn snapshot() -> Vec<u8> {
    let mut controller = with_topics(&["a", "b"]);
    let topics = vec![crate::control::command::TopicRef::Id(id(2))];
    controller.propose(crate::control::Command::DeleteTopics { topics });
    encode(controller.image()).to_vec()
}

fn refused(bytes: &[u8]) -> ReplayError {
    decode(&start(&[]), bytes)
        .map(|_| ())
        .expect_err("is refused")
}

#[test]
fn a_snapshot_cut_anywhere_is_refused() {
    let bytes = snapshot();
    assert!(decode(&start(&[]), &bytes).is_ok());
    for length in 0..bytes.len() {
        refused(&bytes[..length]);
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(refused(&longer).problem, ReplayProblem::SnapshotLength);
}

#[test]
fn a_snapshot_without_one_of_its_records_is_refused() {
    let bytes = snapshot();
    let mut records = Vec::new();
    let mut left = &bytes[HEADER_BYTES..];
    while !left.is_empty() {
        let before = left;
        Record::take(&mut left).unwrap();
        records.push(&before[..before.len() - left.len()]);
    }
    for missing in 0..records.len() {
        let mut kept = records.clone();
        kept.remove(missing);
        let shorter = [&bytes[..HEADER_BYTES], &kept.concat()].concat();
        refused(&shorter);
    }
}

#[test]
fn a_snapshot_of_another_kind_is_named() {
    let bytes = snapshot();
    assert_eq!(refused(b"").problem, ReplayProblem::NoSnapshot);
    assert_eq!(refused(&[0; 64]).problem, ReplayProblem::NoSnapshot);
    let mut newer = bytes.clone();
    newer[4] = 2;
    assert_eq!(
        refused(&newer).to_string(),
        "cluster metadata, snapshot record 0: unknown snapshot format 2, written by a newer \
         release; start that release on this directory"
    );
    let mut other = start(&[]);
    other.cluster_id = Uuid([8; 16]);
    let problem = decode(&other, &bytes).map(|_| ()).unwrap_err().problem;
    let (found, expected) = (CLUSTER, other.cluster_id);
    assert_eq!(problem, ApplyError::OtherCluster { found, expected }.into());
}

#[test]
fn a_flipped_bit_never_panics() {
    let bytes = snapshot();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let _ = decode(&start(&[]), &flipped);
    }
}

#[test]
fn the_head_counts_the_records_before_it() {
    let image = decode(&start(&[]), &snapshot()).unwrap();
    // Registration, two creations, one deletion.
    assert_eq!(image.version, 4);
    let mut controller = Controller::recover(start(&[]), Some(snapshot().into()), []).unwrap();
    assert_eq!(controller.propose(register()).image.version, 5);
}
