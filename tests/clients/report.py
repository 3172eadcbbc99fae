#!/usr/bin/env python3
"""Results of one run of one client, and the matrix made of the results that are kept.

    tests/clients/report.py          writes tests/clients/README.md from tests/clients/results/
    tests/clients/report.py keep     first takes over the results of the last runs (target/clients/*.json)
    tests/clients/report.py check    fails when README.md is not what results/ give
"""

import collections
import datetime
import glob
import json
import os
import shutil
import sys

import broker

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = os.path.join(HERE, "results")
PAGE = os.path.join(HERE, "README.md")
LATEST = os.path.join(os.path.dirname(os.path.dirname(HERE)), "target", "clients")
SCENARIOS = "scenarios"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
# Suites that pass against Apache Kafka 4.3.1 and are not run: client, version, suite, how many of its tests pass there.
NOT_RUN = [("librdkafka", "2.12.1", "own suite, tests/, TEST_CONSUMER_GROUP_PROTOCOL=consumer", "92 of 107",
            "consumer groups of KIP-848"),
           ("kafka-go", "0.4.51", "own suite", "887 of 909", "not among our clients")]


class Report:
    """Prints one line per test as it ends; `finish` prints the sum, writes NAME.json and tells whether all is well.

    NAME is the client's; `scenarios.CLIENT` for the scenarios. A run against another broker than ottla goes to a
    folder of its own, so that it is never taken for ottla's."""

    def __init__(self, client, version, suite, profile="plain, 1 node", name=None, against="ottla"):
        self.head = {"client": client, "version": version, "suite": suite, "profile": profile}
        if against != "kafka":
            self.head["ottla"] = broker.commit()
        self.name = name or (f"{SCENARIOS}.{client}" if suite == SCENARIOS else client)
        self.folder = LATEST if against == "ottla" else os.path.join(LATEST, against)
        self.results = []

    def passed(self, name):
        self._add(name, PASSED, "", f"ok {name}")

    def failed(self, name, why):
        why = " ".join(str(why).split()) or "no reason given"
        self._add(name, FAILED, why, f"FAILED {name}: {why}")

    def skipped(self, name, reason):
        self._add(name, SKIPPED, reason, f"skipped {name}: {reason}")

    def _add(self, name, result, reason, line):
        assert name not in (other["name"] for other in self.results), f"{name} twice"
        self.results.append({"name": name, "result": result, "reason": reason})
        print(line, flush=True)

    def count(self, result):
        return sum(other["result"] == result for other in self.results)

    def summary(self):
        return f"{self.name}: {summary(self.results)}"

    def finish(self):
        os.makedirs(self.folder, exist_ok=True)
        date = datetime.date.today().isoformat()
        with open(os.path.join(self.folder, self.name + ".json"), "w") as file:
            json.dump({**self.head, "date": date, "results": self.results}, file, indent=1)
            file.write("\n")
        print(self.summary(), flush=True)
        return self.count(FAILED) == 0 and self.count(PASSED) > 0


def summary(results):
    counts = collections.Counter(result["result"] for result in results)
    return ", ".join(f"{counts[kind]} {kind}" for kind in (PASSED, FAILED, SKIPPED))


def main(argument=""):
    if argument == "keep":
        keep()
    page = render([load(path) for path in sorted(glob.glob(os.path.join(KEPT, "*.json")))])
    if argument == "check":
        with open(PAGE) as file:
            if file.read() != page:
                raise SystemExit("tests/clients/README.md is not what results/ give: tests/clients/report.py")
        return
    with open(PAGE, "w") as file:
        file.write(page)


def keep():
    os.makedirs(KEPT, exist_ok=True)
    for path in glob.glob(os.path.join(LATEST, "*.json")):
        shutil.copy(path, KEPT)


def load(path):
    with open(path) as file:
        return json.load(file)


def render(runs):
    scenarios = [run for run in runs if run["suite"] == SCENARIOS]
    return "\n".join([
        "# What clients do with ottla", "",
        "Made by `tests/clients/report.py` from what the runners wrote ([results/](results)); nothing here is typed",
        "by hand. `tests/clients/all` runs everything, `tests/clients/NAME/run` one suite.", "",
        "## Suites", "",
        "ottla: the commit that changed the broker last before the run; `+`: and changes that were not committed.", "",
        *suites(runs), "",
        "Whole suites that were held against Apache Kafka 4.3.1 and are not run here:", "",
        row(["client", "version", "suite", "pass there", "why not"]), "|---" * 5 + "|", *map(row, NOT_RUN), "",
        "## Scenarios", "",
        "The same story with every client (`scenarios/run`): what it sends is read back from the stored bytes and by",
        "another client, and checked by content. n/a: the client has no such function.", "",
        *matrix(scenarios), "",
        "## Failures, and what else is skipped, by name", "", *exceptions(runs)]) + "\n"


def suites(runs):
    rows = ["| client | version | suite | profile | passed | failed | skipped | date | ottla |",
            "|---|---|---|---|---|---|---|---|---|"]
    for run in sorted(runs, key=lambda run: (run["suite"] == SCENARIOS, run["client"])):
        counts = collections.Counter(result["result"] for result in run["results"])
        cells = [run["client"], run["version"], run["suite"], run["profile"],
                 *(str(counts[kind]) for kind in (PASSED, FAILED, SKIPPED)), run["date"],
                 run.get("ottla") or "not recorded"]
        rows.append(row(cells))
    return rows


def matrix(runs):
    """One line a scenario; what a client lacks of one (`SCENARIO: PART`) is a note."""
    names = list(dict.fromkeys(scenario(result["name"]) for run in runs for result in run["results"]))
    notes = {}
    rows = [row(["scenario", *(f"{run['client']} {run['version']}" for run in runs)]),
            "|---" * (len(runs) + 1) + "|"]
    for name in names:
        rows.append(row([name, *(cell(run, name, notes) for run in runs)]))
    return rows + [""] + [f"{number}. {note}" for note, number in notes.items()]


def scenario(name):
    return name.split(": ")[0]


def cell(run, name, notes):
    found = [result for result in run["results"] if scenario(result["name"]) == name]
    if not found:
        return "not run"
    marks = []
    for result in found:
        if result["result"] == SKIPPED:
            part = result["name"].partition(": ")[2]
            note = (f"{part}: " if part else "") + result["reason"]
            marks.append(str(notes.setdefault(note, len(notes) + 1)))
    whole = {result["name"]: result["result"] for result in found}.get(name, PASSED)
    if FAILED in (result["result"] for result in found):
        whole = FAILED.upper()
    whole = "n/a" if whole == SKIPPED else whole
    return whole + (f" ({', '.join(marks)})" if marks else "")


def exceptions(runs):
    lines = []
    for run in sorted(runs, key=lambda run: (run["suite"] == SCENARIOS, run["client"])):
        by_reason = collections.defaultdict(list)
        for result in run["results"]:
            noted = run["suite"] == SCENARIOS and result["result"] == SKIPPED
            if result["result"] != PASSED and not noted:
                by_reason[result["result"], result["reason"]].append(f"`{result['name']}`")
        if by_reason:
            lines += [f"**{run['client']} {run['version']}, {run['suite']}**", ""]
            lines += [f"- {result}, {reason}: {', '.join(names)}" for (result, reason), names in by_reason.items()]
            lines.append("")
    return lines[:-1] or ["None."]


def row(cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    main(*sys.argv[1:2])
