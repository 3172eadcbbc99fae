"""HTML pages of a run, one a case, as `ottla-loadgen report` makes them, and a list of them. All open from disk."""

import html
import os
import subprocess

import cases
import generator

INDEX = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Apache Kafka and ottla, side by side</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem }}</style>
</head><body><h1>Apache Kafka and ottla, side by side</h1>
<p>{about}</p>
<ul>
{items}
</ul>
<p>Medians and ranges: <a href="../table.md">table.md</a>; goals: <a href="../goals.md">goals.md</a>.</p>
</body></html>
"""


def write(figures, out):
    """The path of the list; None when the generator left no documents, or makes no pages."""
    if not generator.has_subcommand("report"):
        return None
    folder = os.path.join(out, "report")
    os.makedirs(folder, exist_ok=True)
    made = [case for case in cases.ALL if page(figures, case, out, os.path.join(folder, f"{case.name}.html"))]
    if not made:
        return None
    items = "\n".join(f'<li><a href="{case.name}.html">{case.name}</a>: {html.escape(case.title)}: '
                      f"{html.escape(case.load.describe())}</li>" for case in made)
    about = html.escape(f"Commit {figures.about['commit']}, Kafka {figures.about['kafka']}, {figures.about['cpu']}, "
                        f"Linux {figures.about['kernel']}.")
    index = os.path.join(folder, "index.html")
    with open(index, "w") as file:
        file.write(INDEX.format(about=about, items=items))
    return index


def page(figures, case, out, path):
    """True when there was something to show."""
    documents = [os.path.join(out, "results", row["result"]) for row in figures.rows
                 if row["case"] == case.name and row.get("result") and row["state"] in figures.used]
    if not documents:
        return False
    ran = subprocess.run([generator.binary(), "report", *documents, "--html", path], capture_output=True, text=True)
    if ran.returncode != 0:
        raise generator.Failed(f"the page of {case.name}: {ran.stderr.strip()[-400:]}")
    return True
