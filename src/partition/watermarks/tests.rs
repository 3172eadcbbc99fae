use super::*;

fn marks() -> Watermarks {
    Watermarks::recovered(Offset(2), Offset(10))
}

#[test]
fn recovered_log_is_durable_and_committed() {
    let marks = marks();
    assert_eq!(marks.log_start(), Offset(2));
    let ends = [
        marks.last_stable(),
        marks.high_watermark(),
        marks.durable(),
        marks.log_end(),
    ];
    assert_eq!(ends, [Offset(10); 4]);
}

#[test]
fn marks_only_rise() {
    let mut marks = marks();
    marks.extend(Offset(15));
    marks.advance_durable(Offset(12));
    marks.commit(Offset(12));
    marks.commit(Offset(11));
    assert_eq!(marks.high_watermark(), Offset(12));
    marks.raise_log_start(Offset(12));
    assert_eq!(marks.log_start(), Offset(12));
}

#[test]
fn broken_chains_panic() {
    let rows: &[fn(&mut Watermarks)] = &[
        |marks| marks.extend(Offset(10)),
        |marks| marks.advance_durable(Offset(9)),
        |marks| marks.advance_durable(Offset(11)),
        |marks| marks.commit(Offset(11)),
        |marks| marks.raise_log_start(Offset(2)),
        |marks| marks.raise_log_start(Offset(11)),
        |marks| *marks = Watermarks::recovered(Offset(3), Offset(2)),
        |marks| *marks = Watermarks::recovered(Offset(-1), Offset(2)),
    ];
    for (row, change) in rows.iter().enumerate() {
        let broken = std::panic::catch_unwind(|| change(&mut marks()));
        assert!(broken.is_err(), "row {row}");
    }
}
