"""The rows of a run, asked by case, taker, metric and round."""

import json
import os
import statistics

ROWS = "rows.jsonl"
USED = ("counts",)
# Of a run that was allowed to be disturbed: to try the tool, never to quote.
USED_BUSY = ("counts", "busy", "void")


class Figures:
    def __init__(self, about, rows):
        self.about = about
        self.rows = rows
        self.used = USED_BUSY if about.get("allow_busy") else USED
        self.cells = {}
        for row in rows:
            if row["state"] in self.used:
                self.cells[row["case"], row["taker"], row["round"]] = row["metrics"]
        self.rounds = sorted({row["round"] for row in rows})

    def value(self, case, taker, metric, number):
        return self.cells.get((case, taker, number), {}).get(metric)

    def values(self, case, taker, metric):
        found = [self.value(case, taker, metric, number) for number in self.rounds]
        return [value for value in found if value is not None]

    def has(self, case):
        return any(row["case"] == case for row in self.rows)

    def takers(self, case):
        """In the order of the first round."""
        return list(dict.fromkeys(row["taker"] for row in self.rows if row["case"] == case))

    def why_missing(self, case, taker, metric):
        rows = [row for row in self.rows if (row["case"], row["taker"]) == (case, taker)]
        if not rows:
            return f"{case} was not run with {taker}"
        spoilt = [row for row in rows if row["state"] not in self.used]
        if len(spoilt) == len(rows):
            return f"{case} {taker}: {spoilt[-1]['state']}: {'; '.join(spoilt[-1]['why'])}"
        return f"{case} {taker} has no {metric}"


class Spread:
    """Median and range over rounds."""

    def __init__(self, values):
        self.median = statistics.median(values)
        self.low, self.high = min(values), max(values)

    def __str__(self):
        """`median (lowest-highest)`, or the one value."""
        if self.low == self.high:
            return digits(self.median)
        return f"{digits(self.median)} ({digits(self.low)}-{digits(self.high)})"


def read(directory):
    path = os.path.join(directory, ROWS)
    if not os.path.exists(path):
        raise SystemExit(f"there is no {path}: name the directory of a run")
    return recorded(path)


def recorded(path):
    """The first line is about the run."""
    with open(path) as file:
        about, *rows = [json.loads(line) for line in file]
    return Figures(about["run"], rows)


def digits(value):
    """Three digits, and thousands readable."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def missing(figures, wanted):
    """What a complete run would have had, as lines."""
    lines = []
    for case in wanted:
        for taker in case.takers:
            for metric in case.expected(taker):
                if not figures.values(case.name, taker, metric):
                    lines.append(figures.why_missing(case.name, taker, metric))
    return list(dict.fromkeys(lines))
