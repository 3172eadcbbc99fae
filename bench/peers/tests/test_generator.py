"""What is taken from the generator's document, and what each of its exit codes means."""

import json
import os
import stat
import sys
import tempfile
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.dirname(HERE)
sys.path[:0] = [PEERS, os.path.join(PEERS, "..", "..", "tests", "clients")]
import cases  # noqa: E402
import generator  # noqa: E402

LATENCY = {"count": 5000, "min": 50.0, "mean": 110.0, "max": 900.0, "percentiles": {"p50": 100.0, "p99": 300.0},
           "histogram": ""}
DOCUMENT = {
    "format": 1, "measured_seconds": 4.0,
    "produce": {"requests": 4000, "records": 64000, "payload_bytes": 64_000_000, "requests_per_second": 1000.0,
                "records_per_second": 16000.0, "megabytes_per_second": 16.0, "latency": LATENCY,
                "service_time": LATENCY, "errors": {"REQUEST_TIMED_OUT": 2}, "unanswered": 0},
    "end_to_end": {**LATENCY, "percentiles": {"p50": 140.0}},
    "generator": {"cpu_seconds": 0.4, "cores": 0.1, "late_share": 0.0, "sink": {
        "records_per_second": 500_000.0, "megabytes_per_second": 500.0, "generator_cores": 0.3, "latency": LATENCY}},
    "broker": {"pid": 1, "name": "x", "cpu_seconds": 2.0, "cpu_microseconds_per_request": 50.0,
               "cpu_microseconds_per_record": 3.1, "resident_bytes": 1 << 20, "resident_bytes_max": 3 << 20},
}
LOST = {"lost": 1, "duplicated": 0, "reordered": 0, "corrupted": 2, "findings": ["partition 3, offset 17: lost"]}


def ran(document, code, says=""):
    """A generator that leaves this document (None: nothing) and ends with this code."""
    with tempfile.TemporaryDirectory() as folder:
        program, result = os.path.join(folder, "generator"), os.path.join(folder, "result.json")
        with open(program, "w") as file:
            written = "" if document is None else f"cat > {result} <<'END'\n{json.dumps(document)}\nEND\n"
            file.write(f"#!/bin/sh\n{written}echo '{says}' >&2\nexit {code}\n")
        os.chmod(program, os.stat(program).st_mode | stat.S_IXUSR)
        return generator.run([program], result, 1)


class Generator(unittest.TestCase):
    def test_a_document_becomes_one_flat_table(self):
        found = generator.metrics(DOCUMENT)
        expected = {"requests_per_second": 1000.0, "p50": 100.0, "p99": 300.0, "max": 900.0, "end_to_end_p50": 140.0,
                    "errors": 2, "cpu_per_request": 50.0, "broker_cores": 0.5, "resident_mib": 3.0,
                    "generator_cores": 0.1, "sink_records_per_second": 500_000.0, "sink_p50": 100.0}
        self.assertEqual({name: found[name] for name in expected}, expected)
        self.assertNotIn("p99.9", found, "the samples did not carry it")

    def test_what_a_reader_reads_beside_producers_has_a_rate_of_its_own(self):
        beside = {**DOCUMENT, "consume": {**DOCUMENT["produce"], "megabytes_per_second": 700.0}}
        self.assertEqual(generator.metrics(beside)["read_megabytes_per_second"], 700.0)
        self.assertEqual(generator.metrics(beside)["megabytes_per_second"], 16.0)

    def test_exit_code_3_is_told_with_its_findings_and_gives_no_figures(self):
        with self.assertRaises(generator.Untrue) as raised:
            ran({**DOCUMENT, "verify": LOST}, 3)
        self.assertEqual(raised.exception.findings, ["1 lost", "2 corrupted", "partition 3, offset 17: lost"])

    def test_a_void_run_is_a_document_with_its_reason(self):
        self.assertEqual(ran({**DOCUMENT, "void": ["late"]}, 4)["void"], ["late"])

    def test_any_other_end_is_a_failure_with_the_last_words(self):
        for document, code in ((None, 1), (DOCUMENT, 1), (None, 0), ({**DOCUMENT, "format": 9}, 0)):
            with self.assertRaises(generator.Failed):
                ran(document, code, "error: no broker")
        with self.assertRaisesRegex(generator.Failed, "no broker"):
            ran(None, 1, "error: no broker")

    def test_an_open_loop_has_a_rate_and_a_closed_one_a_number_in_flight(self):
        with mock.patch.object(generator, "binary", lambda: "generator"):
            closed = generator.command(generator.PRODUCE, "a:1", "t", cases.Load(4, 8, 16, 1024), 4, 1, [])
            opened = generator.command(generator.END_TO_END, "a:1", "t",
                                       cases.Load(4, 8, 16, 1024, requests_per_second=1000), 4, 0.5, ["--verify"])
            reads = generator.command(generator.CONSUME, "a:1", "t", cases.Load(8, 1), 4, 1, [])
        self.assertEqual(closed[-2:], ["--in-flight", "8"])
        self.assertEqual(opened[-3:], ["--rate", "16000", "--verify"])
        self.assertEqual(reads[-2:], ["--consumers", "8"])


if __name__ == "__main__":
    unittest.main()
