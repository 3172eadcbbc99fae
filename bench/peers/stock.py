"""The tools that come with Kafka and with librdkafka, and ottla-loadgen, at a rate that all of them hold, against ottla
and against Kafka: nobody has to trust one generator. Throughputs agree within a tenth; why medians differ is said."""

import contextlib
import dataclasses
import datetime
import json
import os
import re
import statistics
import subprocess
import sys

import apache_kafka
import broker
import brokers
import cases
import disk
import figures
import generator
import machine
import measure
import rounds

sys.path.insert(0, os.path.join(broker.ROOT, "tests", "clients", "librdkafka"))
import build  # noqa: E402

# rdkafka_performance sleeps between two records and forgets how late it woke: the shorter the sleep, the more it loses
# (a ninth of 5,000/s).
RECORDS_PER_SECOND = 2_000
RECORD_BYTES = 100
PARTITIONS = 4
# Of two tools at the same rate.
THROUGHPUT_APART_MAX = 0.10
# A JVM starts, and a client looks around.
PATIENCE_SECONDS = 120
TAKERS = (cases.OTTLA, cases.KAFKA)
LOAD = cases.Load(4, 256, 1, RECORD_BYTES, PARTITIONS, RECORDS_PER_SECOND)
SYNCHRONOUS_LOAD = cases.Load(1, 1, 1, RECORD_BYTES, 1)
PRODUCED = re.compile(r"([0-9.]+) records/sec.*?([0-9.]+) ms 50th.*?([0-9.]+) ms 99th")
DELIVERED = re.compile(r"([0-9]+) delivered .* in ([0-9]+)ms")
PERCENTILES = re.compile(r"50th = ([0-9]+), 99th = ([0-9]+)")
AVERAGE = re.compile(r"Avg latency: ([0-9.]+) ms")


@dataclasses.dataclass(frozen=True)
class Found:
    """Microseconds. `records_per_second` is what came through."""

    records_per_second: float
    p50: float
    p99: float
    command: list


@dataclasses.dataclass(frozen=True)
class Tool:
    name: str
    # (bench, peer, topic) -> Found
    measure: object
    # What its median means beside ours.
    why: str
    # Tools of one pace are held against the first of it.
    pace: str = "rate"


def loadgen(mode, load):
    def measured(bench, peer, topic):
        path = os.path.join(bench.out, "results", f"stock-{mode}-{peer.taker}.json")
        words = generator.command(mode, peer.address, topic, load, bench.scale.seconds, bench.scale.warmup,
                                  ["--verify", "--no-sink"])
        found = generator.metrics(generator.run(words, path, bench.scale.seconds))
        prefix = "end_to_end_" if mode == generator.END_TO_END else ""
        return Found(found["records_per_second"], found[f"{prefix}p50"], found.get(f"{prefix}p99", float("nan")), words)
    return measured


def producer_performance(*properties):
    """Kafka's; its latencies are whole milliseconds. The records before the last line are its warm-up."""
    def measured(bench, peer, topic):
        warm = int(RECORDS_PER_SECOND * bench.scale.warmup)
        ran = apache_kafka.tool(
            "org.apache.kafka.tools.ProducerPerformance", "--bootstrap-server", peer.address, "--topic", topic,
            "--num-records", str(warm + int(RECORDS_PER_SECOND * bench.scale.seconds)), "--warmup-records", str(warm),
            "--record-size", str(RECORD_BYTES), "--throughput", str(RECORDS_PER_SECOND),
            "--command-property", "acks=all", *properties, timeout=bench.scale.seconds + PATIENCE_SECONDS,
            jvm=apache_kafka.TOOL_JVM)
        rate, p50, p99 = map(float, PRODUCED.findall(checked(ran))[-1])
        return Found(rate, p50 * 1e3, p99 * 1e3, ran.args)
    return measured


def rdkafka_performance(*properties):
    """librdkafka's: each message's latency lands in a file."""
    def measured(bench, peer, topic):
        source = build.program("examples", "rdkafka_performance")
        each = os.path.join(bench.out, "results", f"rdkafka-{topic}.txt")
        words = [word for given in properties for word in ("-X", given)]
        ran = subprocess.run(
            [os.path.join(source, "examples", "rdkafka_performance"), "-P", "-t", topic, "-b", peer.address,
             "-s", str(RECORD_BYTES), "-c", str(int(RECORDS_PER_SECOND * bench.scale.seconds)),
             "-r", str(RECORDS_PER_SECOND), "-a", "-1", "-l", "-A", each, *words],
            capture_output=True, text=True, env=build.environment(source),
            timeout=bench.scale.seconds + PATIENCE_SECONDS)
        delivered, milliseconds = map(float, DELIVERED.findall(checked(ran))[-1])
        with open(each) as file:
            found = disk.percentiles([float(line) for line in file if line.strip()])
        os.unlink(each)
        return Found(delivered / milliseconds * 1e3, found["p50"], found.get("p99", float("nan")), ran.args)
    return measured


def end_to_end_latency(bench, peer, topic):
    """Kafka's: one record, wait until it is consumed, the next. Its percentiles are whole milliseconds; the rate is
    that of one after the other."""
    count = max(2_000, int(200 * bench.scale.seconds))
    ran = apache_kafka.tool(
        "org.apache.kafka.tools.EndToEndLatency", "--bootstrap-server", peer.address, "--topic", topic,
        "--num-records", str(count), "--producer-acks", "all", "--record-size", str(RECORD_BYTES),
        timeout=bench.scale.seconds + PATIENCE_SECONDS, jvm=apache_kafka.TOOL_JVM)
    text = checked(ran)
    p50, p99 = map(float, PERCENTILES.findall(text)[-1])
    return Found(1e3 / float(AVERAGE.findall(text)[-1]), p50 * 1e3, p99 * 1e3, ran.args)


def checked(ran):
    if ran.returncode != 0:
        raise generator.Failed(f"{' '.join(ran.args[:1])}: exit code {ran.returncode}: {ran.stderr.strip()[-400:]}")
    return ran.stdout


TOOLS = (
    Tool("ottla-loadgen", loadgen(generator.PRODUCE, LOAD),
         "one record a request on a fixed schedule; from the intended send to the ack, in ns"),
    Tool("ProducerPerformance, linger.ms=0", producer_performance("linger.ms=0"),
         "from send() to the callback, whole ms; sends in bursts of its throttle, and what waits for one of five "
         "requests in flight goes as one batch"),
    Tool("ProducerPerformance", producer_performance(),
         "the same with Kafka's own linger of 5 ms: half of that and more is waiting in the client"),
    Tool("rdkafka_performance, linger.ms=0", rdkafka_performance("linger.ms=0"),
         "from produce() to the delivery report, us; one thread hands over to another, batches while requests are out"),
    Tool("rdkafka_performance, linger.ms=5", rdkafka_performance("linger.ms=5"),
         "the same with the linger that librdkafka has by itself (this tool would set a second): half of that and "
         "more is waiting in the client"),
    Tool("ottla-loadgen, one at a time", loadgen(generator.END_TO_END, SYNCHRONOUS_LOAD),
         "one record in flight; from the intended send to its arrival in a waiting consumer", "one at a time"),
    Tool("EndToEndLatency", end_to_end_latency,
         "send, wait for the ack, then fetch, one after the other: two round trips where a waiting consumer has one; "
         "whole ms, and a JVM that is not warm", "one at a time"),
)


def main(asked, scale, runs):
    os.makedirs(runs, exist_ok=True)
    about = machine.facts(runs)
    if not asked.allow_busy:
        rounds.refuse_when_busy(about["device"])
    out = asked.out or os.path.join(runs, datetime.datetime.now().strftime("stock-%Y%m%d-%H%M%S"))
    os.makedirs(os.path.join(out, "results"), exist_ok=True)
    build.program("examples", "rdkafka_performance")
    found = {}
    with contextlib.ExitStack() as stack:
        about["read_ahead_kb"] = stack.enter_context(machine.usual_read_ahead(about["device"]))
        peers = {taker: stack.enter_context(brokers.Peer(taker)) for taker in TAKERS}
        bench = measure.Bench(scale, out, peers)
        stack.callback(bench.close)
        for peer in peers.values():
            peer.stand_still()
        for number in range(1, scale.rounds + 1):
            for tool in TOOLS:
                for taker in rounds.rotated(TAKERS, number):
                    found.setdefault((taker, tool.name), []).append(one(bench, tool, taker))
                    print(f"round {number}/{scale.rounds}  {taker:2}  {tool.name}", flush=True)
    text, agree = table(found)
    with open(os.path.join(out, "stock.md"), "w") as file:
        file.write(text)
    with open(os.path.join(out, "stock.json"), "w") as file:
        rows = [{"taker": taker, "tool": name, **dataclasses.asdict(one)}
                for (taker, name), measured in found.items() for one in measured]
        json.dump({"run": about, "rows": rows}, file, indent=1)
    print(f"\n{text}")
    return 0 if agree else 1


def one(bench, tool, taker):
    case = cases.produce("stock", "", SYNCHRONOUS_LOAD if tool.pace != "rate" else LOAD)
    with bench.running(taker) as peer, bench.topic(peer, case) as topic:
        return tool.measure(bench, peer, topic)


def table(found):
    """And whether the throughputs at one rate agree."""
    lines = [f"{RECORDS_PER_SECOND:,} records/s of {RECORD_BYTES} B asked for, acks=all, {PARTITIONS} partitions; "
             "the last two send one record at a time.", "",
             "| taker | tool | records/s | beside ottla-loadgen | p50 us | p99 us | what its latency is |",
             "|---|---|---|---|---|---|---|"]
    agree = True
    for taker in TAKERS:
        for tool in TOOLS:
            measured = found[taker, tool.name]
            rate = statistics.median(one.records_per_second for one in measured)
            own = statistics.median(one.records_per_second for one in found[taker, TOOLS[0].name])
            beside = "-"
            if tool.pace == "rate":
                held = abs(rate / own - 1) <= THROUGHPUT_APART_MAX
                agree &= held
                beside = f"{rate / own:.3f}{'' if held else ' FAIL: more than a tenth apart'}"
            latencies = [str(figures.Spread([getattr(one, name) for one in measured])) for name in ("p50", "p99")]
            lines.append(f"| {taker}: {brokers.NAMES[taker]} | {tool.name} | {figures.digits(rate)} | {beside} | "
                         f"{' | '.join(latencies)} | {tool.why} |")
    return "\n".join(lines) + "\n", agree
