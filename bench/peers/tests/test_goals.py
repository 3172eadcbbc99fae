"""Verdicts and tables, over a small recorded run; no broker and no clock."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.dirname(HERE)
sys.path[:0] = [PEERS, os.path.join(PEERS, "..", "..", "tests", "clients")]
import cases  # noqa: E402
import disk  # noqa: E402
import figures  # noqa: E402
import goals  # noqa: E402
import measure  # noqa: E402
import promises  # noqa: E402
import rounds  # noqa: E402
import table  # noqa: E402

RECORDED = figures.recorded(os.path.join(HERE, "recorded.jsonl"))
FULL_RUN_MINUTES_MAX = 40


def judged(work, metric, text):
    """The verdict of the one goal that reads like this."""
    found = [goal for goal in promises.GOALS
             if (goal.metric, goal.text) == (metric, text) and goal.work.startswith(work)]
    assert len(found) == 1, found
    return goals.judge(RECORDED, found[0])


class Goals(unittest.TestCase):
    def test_the_median_of_the_ratios_of_the_same_round_decides(self):
        verdict = judged("1 x 100 B, 32 x 8", "requests/s", "o >= 3 x Kc")
        # 200/50, 150/60 and 165/55; rounds 3 and 5 have no value that counts.
        self.assertEqual((verdict.ratio.median, verdict.ratio.low, verdict.ratio.high), (3, 2.5, 4))
        self.assertEqual((verdict.result, verdict.why), (goals.PASS, "3 of 5 rounds"))

    def test_a_stretch_goal_fails_beside_a_goal_that_holds(self):
        self.assertEqual(judged("1 x 100 B, 32 x 8", "requests/s", "o >= 5 x Kc").result, goals.FAIL)

    def test_less_is_better_where_the_goal_says_so(self):
        verdict = judged("1 x 100 B, 32 x 8", "broker CPU a request, us", "o <= 0.2 x Kc")
        self.assertEqual((verdict.result, verdict.ratio.median), (goals.FAIL, 0.225))

    def test_a_divisor_may_be_the_larger_of_two_of_the_same_round(self):
        verdict = judged("open loop 4,000/s", "p99, us", "o <= max(Kc, 2 x D)")
        self.assertEqual((verdict.divisor.median, verdict.result), (1600, goals.PASS))

    def test_a_bound_without_a_unit_of_others_is_a_constant(self):
        verdict = judged("start to first answer", "ms", "o <= 100 ms")
        self.assertEqual((verdict.ratio.median, verdict.result), (1.2, goals.FAIL))

    def test_what_was_not_run_says_so(self):
        verdict = judged("1 KiB, one in flight", "p50, us", "o <= 0.5 x Kf")
        self.assertEqual((verdict.result, verdict.why), (goals.NOT_MEASURED, "one-1k was not run with o"))

    def test_what_was_disturbed_in_every_round_says_by_what(self):
        verdict = judged("1 x 100 B, 32 x 8", "requests/s", "o >= 25 x Kf")
        self.assertEqual((verdict.result, verdict.why), (
            goals.NOT_MEASURED, "small Kf: busy: the hypervisor took 3.0% of a core (at most 0.5%)"))

    def test_a_percentile_that_the_samples_did_not_carry_says_so(self):
        verdict = judged("open loop 4,000/s of 1 x 100 B, produce", "p99.9, us", "o <= 0.5 x Kc")
        self.assertEqual((verdict.result, verdict.why), (goals.NOT_MEASURED, "open-4000 o has no end_to_end_p99.9"))

    def test_every_goal_stands_on_what_a_case_measures(self):
        for goal in promises.GOALS:
            if isinstance(goal, goals.Elsewhere):
                continue
            for name, taker, metric in (*goal.value.cells, *goal.divisor.cells):
                case = cases.by_name(name)
                self.assertIn(taker, case.takers, goal)
                shown = disk.percentiles(range(100_000)) if taker == cases.DISK else (*case.shows, "sink_p50")
                self.assertIn(metric, shown, goal)
                self.assertTrue(metric != "sink_p50" or case.sink_each_round, goal)

    def test_goals_are_told_apart_by_what_they_say(self):
        told = [(goal.source, goal.work, goal.metric, goal.text) for goal in promises.GOALS]
        self.assertEqual(len(told), len(set(told)))


class Tables(unittest.TestCase):
    def test_medians_with_ranges_of_the_rounds_that_count(self):
        lines = table.markdown(RECORDED).splitlines()
        row = next(line for line in lines if line.startswith("| o: ottla | flushed | 3 |"))
        self.assertIn("| 165,000 (150,000-200,000) |", row)
        self.assertIn("| 0.3 (0.3-0.4) | 21% of 800,000 records/s |", row)

    def test_a_failed_verification_and_a_spoilt_round_are_said_above_the_table(self):
        text = table.markdown(RECORDED)
        self.assertIn("**verification failed**: small o, round 5: 1 lost", text)
        self.assertIn("not counted: small o, round 3: busy: other processes took 40.0%", text)

    def test_a_run_on_a_busy_machine_shows_its_rows_and_says_what_it_is(self):
        busy = figures.Figures({**RECORDED.about, "allow_busy": True}, RECORDED.rows)
        self.assertEqual(busy.value("small", "o", "requests_per_second", 3), 9)
        self.assertIsNone(busy.value("small", "o", "requests_per_second", 5), "what was untrue is never used")
        self.assertIn("not to be quoted", table.markdown(busy))
        self.assertIn("not to be quoted", goals.markdown(busy, promises.GOALS))

    def test_cells_that_a_complete_run_has_are_asked_for(self):
        start = figures.missing(RECORDED, [cases.by_name("start")])
        self.assertEqual(start, ["start was not run with Kc"])
        self.assertIn("small o has no megabytes_per_second", figures.missing(RECORDED, [cases.by_name("small")]))


class Runs(unittest.TestCase):
    def test_names_of_cases_are_unique_and_patterns_find_them(self):
        names = [case.name for case in cases.ALL]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual([case.name for case in cases.named(["curve-batch-*"])][0], "curve-batch-100B")
        with self.assertRaises(SystemExit):
            cases.named(["none-such"])

    def test_others_run_beside_the_standard_ones_when_asked_for(self):
        beside = set(cases.named([], ["ten-minutes"])) - set(cases.named([]))
        self.assertEqual([case.name for case in beside], ["ten-minutes"])

    def test_every_round_begins_with_another_taker(self):
        self.assertEqual([rounds.rotated(("o", "m", "Kc"), number) for number in (1, 2, 4)],
                         [("o", "m", "Kc"), ("m", "Kc", "o"), ("o", "m", "Kc")])

    def test_the_standard_run_fits_its_time(self):
        minutes = rounds.estimate_seconds(measure.MEASURE, cases.named([])) / 60
        self.assertLessEqual(minutes, FULL_RUN_MINUTES_MAX)

    def test_a_percentile_stands_on_ten_samples_above_it(self):
        self.assertEqual(disk.percentiles(range(900)), {"samples": 900, "max": 899, "p50": 450})
        self.assertEqual(disk.percentiles(range(1000))["p99"], 990)


if __name__ == "__main__":
    unittest.main()
