"""The order of a run: every round takes every case, and in every case its takers one after the other, beginning with
another one each time. A measurement counts when the machine was ours meanwhile; otherwise it is taken again, a few
times."""

import datetime
import json
import os
import subprocess
import sys
import time

import cases
import figures
import generator
import idle
import measure

# Of one measurement in a machine that is not quiet.
ATTEMPTS_MAX = 3
QUIET_SECONDS_MAX = 60
# Between two measurements: what the last one left behind comes to rest.
SETTLE_SECONDS_MAX = 15
# Beside the measured seconds, on two cores: awake and at rest, topic, start of the generator, reading back, removal.
OVERHEAD_SECONDS = {cases.PRODUCE: 2.0, cases.END_TO_END: 1.5, cases.RECENT: 1.5, cases.READ: 0.5, cases.CATCH_UP: 4.0,
                    cases.COMPACTION: 12.0,
                    cases.IDLE_CONNECTIONS: 3.0, cases.START: 5.0, cases.RESTART: 10.0, cases.COUNT: 4.5, cases.FLOOR: 0.5}
SINK_SECONDS = 2.5
START_SECONDS = 45


class Busy(Exception):
    """Somebody else works on this machine."""


class Rows:
    """rows.jsonl: the first line is about the run, each other one is one measurement."""

    def __init__(self, out, about):
        self.file = open(os.path.join(out, figures.ROWS), "w")
        self.untrue = 0
        self._write({"run": about})

    def add(self, row):
        self.untrue += row["state"] == "untrue"
        self._write(row)

    def _write(self, value):
        self.file.write(json.dumps(value, ensure_ascii=False) + "\n")
        self.file.flush()


def estimate_seconds(scale, wanted):
    total = START_SECONDS + 4 * (scale.warm_seconds + 2)
    if any(case.kind in (cases.READ, cases.CATCH_UP) for case in wanted):
        total += 2 * scale.read_megabytes * 1e6 / measure.WRITE_BYTES_PER_SECOND
    if any(case.kind == cases.RESTART for case in wanted):
        total += 2 * scale.restart_megabytes * 1e6 / measure.WRITE_BYTES_PER_SECOND
    for case in wanted:
        for taker in case.takers:
            total += rounds_of(scale, case) * taker_seconds(scale, case, taker)
        if case.load:
            total += (scale.rounds if case.sink_each_round else 1) * SINK_SECONDS
    return total


def rounds_of(scale, case):
    return case.rounds or scale.rounds


def taker_seconds(scale, case, taker):
    seconds = case.seconds or scale.seconds
    if case.kind in (cases.START, cases.RESTART, cases.COUNT):
        return OVERHEAD_SECONDS[case.kind]
    if taker in measure.FLOORS:
        return (seconds / 2 if case.kind == cases.FLOOR else seconds) + OVERHEAD_SECONDS[cases.FLOOR]
    return seconds + scale.warmup + OVERHEAD_SECONDS[case.kind]


def run(bench, wanted, rows, device, allow_busy):
    started = time.monotonic()
    for number in range(1, bench.scale.rounds + 1):
        for case in wanted:
            if number > rounds_of(bench.scale, case):
                continue
            for taker in rotated(case.takers, number):
                row = one(bench, case, taker, number, device, allow_busy)
                rows.add(row)
                say(row, bench.scale.rounds, time.monotonic() - started)
            bench.clear()


def rotated(takers, number):
    first = (number - 1) % len(takers)
    return takers[first:] + takers[:first]


def one(bench, case, taker, number, device, allow_busy):
    """The row of one measurement: of the first attempt that counts, else of the last."""
    attempts = 1 if case.rounds else ATTEMPTS_MAX
    for attempt in range(1, attempts + 1):
        if not allow_busy:
            # What another broker left in the page cache the kernel would write half a minute later, beside this one.
            os.sync()
            idle.wait(device, SETTLE_SECONDS_MAX, case.latency)
        row = attempted(bench, case, taker, number, device, allow_busy) | {"attempt": attempt}
        if allow_busy or row["state"] in ("counts", "untrue"):
            return row
        print(f"  again: {'; '.join(row['why'])}", file=sys.stderr, flush=True)
    return row


def attempted(bench, case, taker, number, device, allow_busy):
    """States: `counts`; `busy` (the machine was not ours); `void` (says the generator); `failed`; `untrue` (records
    were lost, repeated, out of order or changed)."""
    row = {"case": case.name, "taker": taker, "round": number, "state": "counts", "why": [],
           "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "metrics": {}}
    watch = idle.Watch(device)
    began = time.monotonic()
    try:
        outcome = measure.measure(bench, case, taker, number)
    except generator.Untrue as untrue:
        return row | {"state": "untrue", "why": untrue.findings}
    except (generator.Failed, AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as failure:
        return row | {"state": "failed", "why": [str(failure)]}
    quiet = watch.end()
    void = outcome.metrics.pop("void", [])
    row |= {"metrics": rounded(outcome.metrics), "durability": outcome.durability, "command": outcome.command,
            "result": outcome.result, "foreign_cores": round(quiet.foreign, 4), "steal_cores": round(quiet.steal, 4),
            "seconds": round(time.monotonic() - began, 1)}
    faults = quiet.faults(case.latency)
    if void:
        row |= {"state": "void", "why": void}
    elif faults or allow_busy:
        row |= {"state": "busy", "why": faults or ["run with --allow-busy"]}
    return row


def rounded(metrics):
    """Four digits are more than a round repeats."""
    return {name: float(f"{value:.5g}") if isinstance(value, float) else value for name, value in metrics.items()}


def say(row, rounds, elapsed):
    metrics = row["metrics"]
    shown = ", ".join(f"{name} {metrics[name]:,.1f}" for name in
                      ("requests_per_second", "megabytes_per_second", "p50", "p99", "end_to_end_p99",
                       "cpu_per_request", "first_answer_ms") if name in metrics)
    state = "" if row["state"] == "counts" else f"  {row['state'].upper()}: {'; '.join(row['why'])}"
    print(f"{elapsed:6.0f} s  round {row['round']}/{rounds}  {row['case']:14} {row['taker']:2}  {shown}{state}",
          flush=True)


def refuse_when_busy(device):
    faults = idle.wait(device, QUIET_SECONDS_MAX)
    if faults:
        raise Busy(f"this machine is busy: {'; '.join(faults)}; stop that, or try the tool with --allow-busy")
