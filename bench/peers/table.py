"""The table of a run, in markdown: median and range of every metric, by case and taker."""

import brokers
import cases
from figures import Spread, digits

HEADINGS = {
    "requests_per_second": "requests/s", "megabytes_per_second": "MB/s", "p50": "ack p50 us", "p99": "p99",
    "p99.9": "p99.9", "max": "max", "end_to_end_p50": "end to end p50 us", "end_to_end_p99": "p99",
    "end_to_end_p99.9": "p99.9", "end_to_end_max": "max", "cpu_per_request": "broker CPU us/request",
    "cpu_per_record": "us/record", "resident_mib": "resident MiB", "first_answer_ms": "first answer ms",
    "idle_mib": "idle MiB", "written_megabytes": "MB written", "idle_connections": "idle connections",
    "kib_per_connection": "KiB each", "catch_up_megabytes_per_second": "old records MB/s",
    "compacted_mib": "compacted MiB", "system_calls_per_batch": "system calls/batch",
    "own_allocations_per_request": "our allocations in every request",
    "shared_allocations_per_request": "with those that requests share",
    "cold_read_mib": "MiB read from disk",
}
FLOOR_NAMES = {cases.DISK: "disk alone, 4 KiB O_DSYNC", cases.DISK_WRITE: "disk alone, writes",
               cases.DISK_READ: "disk alone, reads", cases.LOOPBACK: "loopback alone, copying sender"}
NOTHING = "-"


def markdown(figures):
    lines = ["# Apache Kafka and ottla, side by side", "", *warnings(figures), *metadata(figures.about)]
    for case in cases.ALL:
        if figures.has(case.name):
            lines += section(figures, case)
    return "\n".join(lines) + "\n"


def warnings(figures):
    lines = []
    if figures.about.get("allow_busy"):
        lines += ["**Run with --allow-busy: not to be quoted.**", ""]
    untrue = [row for row in figures.rows if row["state"] == "untrue"]
    for row in untrue:
        lines.append(f"- **verification failed**: {row['case']} {row['taker']}, round {row['round']}: "
                     f"{'; '.join(row['why'])}")
    left_out = [row for row in figures.rows if row["state"] not in (*figures.used, "untrue")]
    for row in left_out:
        lines.append(f"- not counted: {row['case']} {row['taker']}, round {row['round']}: {row['state']}: "
                     f"{'; '.join(row['why'])}")
    return [*lines, ""] if lines and lines[-1] else lines


def metadata(about):
    lines = ["Median (lowest-highest) over the rounds; percentiles only where a round has ten samples above them. The",
             "generator's ceiling is the same work against a broker that answers at once: near it, one measures the",
             "generator. A reader that gets more than all of it reads faster than that plain broker can send.", ""]
    skipped = ("allow_busy",)
    return [*lines, *(f"- {name}: {value}" for name, value in about.items() if name not in skipped), ""]


def section(figures, case):
    what = f": {case.load.describe()}" if case.load else ""
    lines = [f"## {case.name}", "", f"{case.title}{what}", ""]
    columns = [metric for metric in case.shows if any(
        figures.values(case.name, taker, metric) for taker in figures.takers(case.name))]
    generated = any(figures.values(case.name, taker, "generator_cores") for taker in figures.takers(case.name))
    headings = ["taker", "durability", "rounds", *(HEADINGS[metric] for metric in columns)]
    if generated:
        headings += ["generator cores", "its sink"]
    lines += [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    for taker in sorted(figures.takers(case.name), key=case.takers.index):
        rounds = sum((case.name, taker, number) in figures.cells for number in figures.rounds)
        cells = [named(taker), brokers.DURABILITY.get(taker, NOTHING), str(rounds),
                 *(spread(figures.values(case.name, taker, metric)) for metric in columns)]
        if generated:
            cells += [spread(figures.values(case.name, taker, "generator_cores")), ceiling(figures, case, taker)]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def named(taker):
    return f"{taker}: {brokers.NAMES.get(taker) or FLOOR_NAMES[taker]}"


def spread(values):
    return str(Spread(values)) if values else NOTHING


def ceiling(figures, case, taker):
    """What the same generator did against a broker that answers at once: its ceiling in a closed loop, and how much of
    it this taker reached; its floor in an open one."""
    def sink(metric):
        return [value for other in figures.takers(case.name) for value in figures.values(case.name, other, metric)]
    if case.load.requests_per_second:
        floor = sink("sink_p50")
        return f"ack p50 {digits(Spread(floor).median)} us" if floor else NOTHING
    reached, most = figures.values(case.name, taker, "records_per_second"), sink("sink_records_per_second")
    if not reached or not most:
        return NOTHING
    return f"{Spread(reached).median / Spread(most).median:.0%} of {digits(Spread(most).median)} records/s"
