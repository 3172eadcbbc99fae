"""Which measurements count, and how often one is taken again."""

import contextlib
import io
import os
import sys
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.dirname(HERE)
sys.path[:0] = [PEERS, os.path.join(PEERS, "..", "..", "tests", "clients")]
import cases  # noqa: E402
import generator  # noqa: E402
import idle  # noqa: E402
import measure  # noqa: E402
import rounds  # noqa: E402

CASE = cases.by_name("small")
QUIET = idle.Quiet(foreign=0.0, steal=0.0, disk=0.0, busiest="")
DISTURBED = idle.Quiet(foreign=0.5, steal=0.0, disk=0.0, busiest="cc1")


def taken(quiets, outcomes, allow_busy=False, case=CASE, waits=lambda *_: []):
    """One measurement in a world where the attempts come out like this, and how many attempts it took."""
    watches = iter(quiets)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(mock.patch.object(idle, "wait", waits))
        stack.enter_context(mock.patch.object(idle, "Watch", lambda _: mock.Mock(end=lambda: next(watches))))
        measured = stack.enter_context(mock.patch.object(measure, "measure", side_effect=outcomes))
        row = rounds.one(None, case, "o", 1, "vda", allow_busy)
    return row, measured.call_count


def outcome(**metrics):
    return measure.Outcome({"requests_per_second": 123456.789, **metrics}, "flushed", ["ottla-loadgen"], "x.json")


class Attempts(unittest.TestCase):
    def test_a_quiet_measurement_counts_at_once(self):
        row, attempts = taken([QUIET], [outcome()])
        self.assertEqual((row["state"], attempts), ("counts", 1))
        self.assertEqual((row["metrics"], row["durability"]), ({"requests_per_second": 123460.0}, "flushed"))

    def test_a_disturbed_one_is_taken_again_until_it_counts(self):
        row, attempts = taken([DISTURBED, DISTURBED, QUIET], [outcome() for _ in range(3)])
        self.assertEqual((row["state"], row["attempt"], attempts), ("counts", 3, 3))

    def test_after_the_last_attempt_it_stays_disturbed_and_says_by_whom(self):
        row, attempts = taken([DISTURBED] * 3, [outcome() for _ in range(3)])
        self.assertEqual((row["state"], attempts), ("busy", rounds.ATTEMPTS_MAX))
        self.assertIn("most of it cc1", row["why"][0])

    def test_what_others_left_in_the_page_cache_is_written_before(self):
        told = []
        with mock.patch.object(os, "sync", lambda: told.append("sync")):
            taken([DISTURBED, QUIET], [outcome(), outcome()], waits=lambda *_: told.append("waited") or [])
        self.assertEqual(told, ["sync", "waited"] * 2)

    def test_what_lasts_is_taken_once(self):
        row, attempts = taken([DISTURBED], [outcome()], case=cases.by_name("ten-minutes"))
        self.assertEqual((row["state"], attempts), ("busy", 1))
        ran = []
        with mock.patch.object(rounds, "one", lambda _, case, taker, number, *__: ran.append((case.name, number)) or
                               {"state": "counts", "metrics": {}, "round": number, "case": case.name, "taker": taker}), \
                contextlib.redirect_stdout(io.StringIO()):
            bench = mock.Mock(scale=measure.MEASURE)
            rounds.run(bench, [cases.by_name("disk"), cases.by_name("ten-minutes")], mock.Mock(), "vda", False)
        self.assertEqual({number for name, number in ran if name == "ten-minutes"}, {1})
        self.assertEqual({number for name, number in ran if name == "disk"}, {1, 2, 3, 4, 5})

    def test_a_void_run_is_taken_again(self):
        row, attempts = taken([QUIET, QUIET], [outcome(void=["late"]), outcome()])
        self.assertEqual((row["state"], attempts), ("counts", 2))

    def test_untrue_is_never_taken_again_and_has_no_metrics(self):
        row, attempts = taken([QUIET], [generator.Untrue(["1 lost"])])
        self.assertEqual((row["state"], row["why"], row["metrics"], attempts), ("untrue", ["1 lost"], {}, 1))

    def test_a_failure_is_tried_again_and_then_told(self):
        row, attempts = taken([], [generator.Failed("no broker")] * 3)
        self.assertEqual((row["state"], row["why"], attempts), ("failed", ["no broker"], 3))

    def test_a_run_on_a_busy_machine_marks_every_row(self):
        row, attempts = taken([QUIET], [outcome()], allow_busy=True)
        self.assertEqual((row["state"], attempts), ("busy", 1))


class Floors(unittest.TestCase):
    def test_a_disk_that_falls_behind_its_rate_is_no_excuse(self):
        for held, void in ((4_000, False), (3_000, True)):
            alone = mock.Mock(flushed_writes=lambda seconds, rate: {"requests_per_second": held, "p50": 1.0})
            bench = mock.Mock(disk_file=lambda: alone)
            found = measure.measure(bench, cases.by_name("open-4000"), cases.DISK, 1).metrics
            self.assertEqual("void" in found, void)


class Topics(unittest.TestCase):
    def test_those_of_many_partitions_go_when_every_broker_had_the_case(self):
        peer = mock.Mock(taker="o")
        bench = measure.Bench(measure.QUICK, "/nowhere", {"o": peer})
        for name, removed in (("small", ["small-1"]), ("small-1000", ["small-1"])):
            with bench.topic(peer, cases.by_name(name)):
                pass
            self.assertEqual([call.args[0] for call in peer.remove_topic.call_args_list], removed)
        bench.clear()
        self.assertEqual(peer.remove_topic.call_args.args, ("small-1000-2",))
        self.assertEqual(bench.left, [])

    def test_one_that_cannot_be_removed_ends_no_run(self):
        peer = mock.Mock(taker="o")
        peer.remove_topic.side_effect = RuntimeError("not within 60 s")
        bench = measure.Bench(measure.QUICK, "/nowhere", {"o": peer})
        with bench.topic(peer, cases.by_name("small-1000")):
            pass
        with contextlib.redirect_stderr(io.StringIO()) as said:
            bench.clear()
        self.assertIn("small-1000-1 stays: not within 60 s", said.getvalue())
        peer.stand_still.assert_called_once()


if __name__ == "__main__":
    unittest.main()
