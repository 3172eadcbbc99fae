"""`ottla-loadgen`: its command lines, and what bench/peers takes from its JSON document."""

import json
import os
import shlex
import subprocess

import broker

CHECK_FOUND_PROBLEMS = 3
VOID = 4
PRODUCE, CONSUME, END_TO_END, CATCH_UP = "produce", "consume", "end-to-end", "catch-up"
FORMAT = 1
# Beyond its own duration: preparation, the sink, reading everything back.
PATIENCE_SECONDS = 180
MIB = 1 << 20


class Failed(Exception):
    """The generator gave no figures."""


class Untrue(Exception):
    """Verification found records lost, repeated, out of order or changed. `findings` says which."""

    def __init__(self, findings):
        super().__init__("; ".join(findings))
        self.findings = findings


def binary():
    path = os.environ.get("OTTLA_LOADGEN", os.path.join(broker.ROOT, "target", "release", "ottla-loadgen"))
    if not os.path.exists(path):
        raise SystemExit(f"there is no {path}: cargo build --release -p ottla-loadgen")
    return path


def command(mode, address, topic, load, seconds, warmup, options):
    """`options` are flags with their values, as words."""
    words = [binary(), "run", "--quiet", "--mode", mode, "--bootstrap", address, "--topic", topic,
             "--partitions", load.partitions, "--records-per-batch", load.records, "--value-size", load.value_bytes,
             "--duration", f"{seconds:g}s", "--warmup", f"{warmup:g}s"]
    if mode == CONSUME:
        words += ["--consumers", load.connections]
    else:
        words += ["--connections", load.connections, "--acks", "all", *pace(load)]
    return [str(word) for word in [*words, *options]]


def pace(load):
    """An open loop has no bound on what is under way but a large one."""
    if load.requests_per_second:
        return ["--rate", load.requests_per_second * load.records]
    return ["--in-flight", load.in_flight]


def run(words, path, seconds):
    """The JSON document, which stays at `path`."""
    words = [*words, "--json", path]
    try:
        ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=seconds + PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"{shlex.join(words)}: not within {seconds + PATIENCE_SECONDS:.0f} s") from None
    if not os.path.exists(path):
        raise Failed(f"{shlex.join(words)}: exit code {ran.returncode}: {ran.stderr.strip()[-400:]}")
    with open(path) as file:
        result = json.load(file)
    if result["format"] != FORMAT:
        raise Failed(f"{path} is of format {result['format']}, not {FORMAT}")
    if ran.returncode == CHECK_FOUND_PROBLEMS:
        raise Untrue(findings(result))
    if ran.returncode not in (0, VOID):
        raise Failed(f"{shlex.join(words)}: exit code {ran.returncode}: {ran.stderr.strip()[-400:]}")
    return result


def findings(result):
    verify = result.get("verify") or {}
    counts = [f"{verify[name]} {name}" for name in ("lost", "duplicated", "reordered", "corrupted") if verify.get(name)]
    return [*counts, *verify.get("findings", [])] or ["exit code 3 without a finding"]


def metrics(result):
    """One flat table of what the goals and the table are made of. Microseconds, MB/s, MiB."""
    found = {}
    side = result.get("produce") or result.get("consume")
    if side:
        for name in ("requests_per_second", "records_per_second", "megabytes_per_second", "unanswered"):
            found[name] = side[name]
        found.update(latencies("", side["latency"]))
        found.update(latencies("service_", side["service_time"]))
        found["errors"] = sum(side.get("errors", {}).values())
    if result.get("end_to_end"):
        found.update(latencies("end_to_end_", result["end_to_end"]))
    if result.get("produce") and result.get("consume"):
        found["read_megabytes_per_second"] = result["consume"]["megabytes_per_second"]
    process = result.get("broker")
    if process:
        found["cpu_per_request"] = process["cpu_microseconds_per_request"]
        found["cpu_per_record"] = process["cpu_microseconds_per_record"]
        found["broker_cores"] = process["cpu_seconds"] / result["measured_seconds"]
        found["resident_mib"] = process["resident_bytes_max"] / MIB
    own = result["generator"]
    found["generator_cores"], found["late_share"] = own["cores"], own["late_share"]
    if own.get("sink"):
        sink = own["sink"]
        for name in ("records_per_second", "megabytes_per_second"):
            found[f"sink_{name}"] = sink[name]
        found.update(latencies("sink_", sink["latency"]))
        found["sink_generator_cores"] = sink["generator_cores"]
    return found


def latencies(prefix, latency):
    return {f"{prefix}max": latency["max"],
            **{f"{prefix}{name}": value for name, value in latency["percentiles"].items()}}


def has_subcommand(name):
    return subprocess.run([binary(), name, "--help"], capture_output=True).returncode == 0
