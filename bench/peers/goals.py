"""Each goal with its value, its divisor of the same round, their ratio, pass or fail.

A goal is `value <= factor x divisor` or `value >= factor x divisor`. The ratio is taken in each round; the median over
the rounds decides."""

import operator
from dataclasses import dataclass

from figures import Spread

# Fewer rounds give a figure, not a verdict.
ROUNDS_MIN = 5
AT_MOST, AT_LEAST = "<=", ">="
HOLDS = {AT_MOST: operator.le, AT_LEAST: operator.ge}
PASS, FAIL, NOT_MEASURED = "pass", "FAIL", "not measured"


class Figure:
    """What a round gives: a cell, a constant, or a sum, product, least or most of such."""

    def __init__(self, text, of_round, cells=()):
        self.text = text
        self.of_round = of_round
        self.cells = cells

    def __rmul__(self, factor):
        return Figure(f"{factor:g} x {self.text}", lambda *where: times(factor, self.of_round(*where)), self.cells)

    def __add__(self, other):
        return combined(f"({self.text} + {other.text})", sum, self, other)


def times(factor, value):
    return None if value is None else factor * value


def combined(text, join, *parts):
    def of_round(*where):
        values = [part.of_round(*where) for part in parts]
        return None if None in values else join(values)
    return Figure(text, of_round, tuple(cell for part in parts for cell in part.cells))


def most(*parts):
    return combined(f"max({', '.join(part.text for part in parts)})", max, *parts)


def least(*parts):
    return combined(f"min({', '.join(part.text for part in parts)})", min, *parts)


def cell(case, taker, metric):
    """A metric of a case, by case and taker; the text is the taker, since the goal's line has the rest."""
    return Figure(taker, lambda figures, number: figures.value(case, taker, metric, number), ((case, taker, metric),))


def constant(value, unit):
    return Figure(f"{value:g} {unit}", lambda *_: value)


@dataclass(frozen=True)
class Goal:
    source: str
    work: str
    metric: str
    value: Figure
    relation: str
    factor: float
    divisor: Figure
    stretch: bool = False

    @property
    def text(self):
        plain = self.factor == 1
        return f"{self.value.text} {self.relation} {'' if plain else f'{self.factor:.3g} x '}{self.divisor.text}"


@dataclass(frozen=True)
class Elsewhere:
    """A goal that this command does not measure, and who does."""

    source: str
    work: str
    metric: str
    text: str
    why: str
    stretch: bool = False


@dataclass(frozen=True)
class Verdict:
    goal: object
    result: str
    why: str = ""
    value: Spread | None = None
    divisor: Spread | None = None
    ratio: Spread | None = None


def judge(figures, goal):
    if isinstance(goal, Elsewhere):
        return Verdict(goal, NOT_MEASURED, goal.why)
    pairs = [(goal.value.of_round(figures, number), goal.divisor.of_round(figures, number))
             for number in figures.rounds]
    pairs = [(value, divisor) for value, divisor in pairs if value is not None and divisor]
    if not pairs:
        return Verdict(goal, NOT_MEASURED, why_not(figures, goal))
    ratio = Spread([value / divisor for value, divisor in pairs])
    measured = (Spread([value for value, _ in pairs]), Spread([divisor for _, divisor in pairs]), ratio)
    held = HOLDS[goal.relation](ratio.median, goal.factor)
    why = f"{len(pairs)} of {ROUNDS_MIN} rounds" if len(pairs) < ROUNDS_MIN else ""
    return Verdict(goal, PASS if held else FAIL, why, *measured)


def why_not(figures, goal):
    for case, taker, metric in (*goal.value.cells, *goal.divisor.cells):
        if not figures.values(case, taker, metric):
            return figures.why_missing(case, taker, metric)
    return "value and divisor never in the same round"


def markdown(figures, goals, measured_only=False):
    """A table of all of them, and how many hold."""
    lines = ["| source | work | metric | goal | value | divisor | ratio | verdict |",
             "|---|---|---|---|---|---|---|---|"]
    verdicts = [judge(figures, goal) for goal in goals]
    for verdict in verdicts:
        if measured_only and verdict.result == NOT_MEASURED:
            continue
        goal = verdict.goal
        numbers = [str(part or "-") for part in (verdict.value, verdict.divisor, verdict.ratio)]
        result = f"{verdict.result}{': ' if verdict.why else ''}{verdict.why}"
        source = f"{goal.source}, stretch" if goal.stretch else goal.source
        lines.append(f"| {' | '.join([source, goal.work, goal.metric, goal.text, *numbers, result])} |")
    return "\n".join([*warning(figures), *lines, "", summary(verdicts)])


def warning(figures):
    return ["**Run with --allow-busy: not to be quoted.**", ""] if figures.about.get("allow_busy") else []


def summary(verdicts):
    counts = []
    for name, stretch in (("goals", False), ("stretch goals", True)):
        results = [verdict.result for verdict in verdicts if verdict.goal.stretch == stretch]
        told = ", ".join(f"{results.count(result)} {result}" for result in (PASS, FAIL, NOT_MEASURED))
        counts.append(f"{name}: {told}")
    return "; ".join(counts)
