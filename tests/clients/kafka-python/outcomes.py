"""A pytest plugin: one JSON line per test as it ends, to the file that $OUTCOMES names."""

import json
import os


def pytest_runtest_logreport(report):
    if report.when == "call" or (report.when == "setup" and not report.passed):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        with open(os.environ["OUTCOMES"], "a") as file:
            json.dump({"name": report.nodeid, "result": report.outcome, "why": why[-400:]}, file)
            file.write("\n")
