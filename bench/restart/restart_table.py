"""The table of a run: median and range over the rounds, by size, state and shards of the next life."""

import figures
import restarts
import states

COLUMNS = {"acknowledged_ms": "acknowledged everywhere, ms", "ready_ms": "of it until ready, ms",
           "memory_mib": "peak memory, MiB", "dirty_mib": "dirty at the kill, MiB",
           "journal_read_mib": "journal read, MiB", "disk_mib": "data directory, MiB"}


def case(gibibytes, state):
    return f"{gibibytes:g} GiB, {state}"


def markdown(found):
    lines = ["# Restart after `kill -9`", ""]
    if found.about["allow_busy"]:
        lines += ["**Run with --allow-busy: not to be quoted.**", ""]
    lines += [f"- {name}: {value}" for name, value in found.about.items() if name != "allow_busy"]
    lines += ["", f"Killed with {restarts.SHARDS} shards. Median (lowest-highest) over the rounds.", "",
              "| written, dirty | shards after | rounds | " + " | ".join(COLUMNS.values()) + " |",
              "|---|---|" + "---|" * (len(COLUMNS) + 1)]
    for size in found.about["gibibytes"]:
        for state in states.ALL:
            lines += [row(found, case(size, state), name) for name in restarts.NEXT]
    return "\n".join([*lines, *left_out(found)]) + "\n"


def row(found, name, taker):
    cells = [found.values(name, taker, metric) for metric in COLUMNS]
    shown = [str(figures.Spread(values)) if values else "-" for values in cells]
    return f"| {name} | {taker}: {restarts.NEXT[taker]} | {len(cells[0])} | " + " | ".join(shown) + " |"


def left_out(found):
    rows = [row for row in found.rows if row["state"] not in found.used]
    lines = [f"- not counted: {row['case']}, {row['taker']}, round {row['round']}: {row['state']}: "
             f"{'; '.join(row['why'])}" for row in rows]
    return ["", *lines] if lines else []


def slowest(found):
    """The largest of all counted times, in milliseconds."""
    return max((cells["acknowledged_ms"] for cells in found.cells.values()), default=None)
