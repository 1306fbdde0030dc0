"""Write the study down: tables to read, and the file that the package looks reliability up in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.simulation.cells import Summary, Tally, Task, summarise
from benchmarks.simulation.designs import Process
from benchmarks.simulation.judge import HIGH, LOW, SIZE, Verdict, monte_carlo_error
from benchmarks.simulation.pairs import Pair

_HEAD = (
    "| method | inference | bias | ± | size | coverage, no effect | coverage, effect | power | "
    "median length | replications |\n|---|---|---|---|---|---|---|---|---|---|"
)

_SHOWN = 50  # replications


def write_tables(
    path: Path,
    tallies: Mapping[Task, Tally],
    processes: Mapping[str, Process],
    verdicts: Iterable[Verdict],
) -> None:
    """Write one table per process and number of treated, the verdicts first."""
    lines = [*_introduction(), *_verdict_lines(list(verdicts))]
    for process in processes.values():
        lines += ["", f"## {process.name}", "", process.words]
        for treated in process.treated:
            cells = {
                task: tally
                for task, tally in tallies.items()
                if task.process == process.name and task.treated == treated
            }
            lines += ["", f"### {process.name}, {treated} treated", "", _HEAD]
            lines += _rows(cells)
            lines += _refusals(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table_row(pair: Pair, zero: Tally | None, true: Tally | None) -> str:
    """Write one row from the tallies without and with an effect."""
    none, some = (None if one is None else summarise(one) for one in (zero, true))
    first = none or some
    n = [one.replications for one in (none, some) if one]
    name = next((one.inference for one in (zero, true) if one and one.inference), "")
    return (
        "| "
        + " | ".join(
            [
                pair.words,
                name,
                _number(first, "bias"),
                _number(first, "bias_error"),
                _share(none, "rejection"),
                _share(none, "coverage"),
                _share(some, "coverage"),
                _share(some, "rejection"),
                _number(first, "length"),
                ", ".join(map(str, n)),
            ]
        )
        + " |"
    )


def write_reliability(path: Path, verdicts: Iterable[Verdict]) -> None:
    """Write what ``cps.estimators._reliability`` reads."""
    lines = [
        "# What held its level in the simulation study; written by `make simulation`, not by hand.",
        f"# offered: coverage {LOW} to {HIGH} and size at most {SIZE} in every judged design, within",
        "# two Monte Carlo errors. coverage: farthest from .95; size: largest; replications: fewest.",
    ]
    for one in verdicts:
        options = ", ".join(f'{name} = "{value}"' for name, value in one.pair.settled().items())
        lines += [
            "",
            "[[pair]]",
            f'method = "{one.pair.method}"',
            f"options = {{ {options} }}" if options else "options = {}",
            f'inference = "{one.inference}"',
            f'treated = "{one.treated}"',
            *([f"coverage = {one.coverage:.4f}"] if one.coverage is not None else []),
            *([f"size = {one.size:.4f}"] if one.size is not None else []),
            f"replications = {one.replications}",
            f'verdict = "{"offered" if one.is_offered else "not_offered"}"',
            *([f"reason = {_quoted(one.reason)}"] if one.reason else []),
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _introduction() -> list[str]:
    return [
        "# Simulation study",
        "",
        "How often each method with each inference is right where the truth is known; written by "
        "`make simulation`. Bias and its Monte Carlo error (±) without effect where that is drawn, "
        "on the scale of the outcome; size and power: how often a 5% test rejects without and with "
        "an effect; coverage of nominal 95% intervals; — where a method has no such thing. "
        "Replications: without, with effect. Draws are the same for every method, and for both "
        f"outcomes. The Monte Carlo error of a share near .95 is {monte_carlo_error(500):.3f} with "
        f"500 replications, {monte_carlo_error(200):.3f} with 200, {monte_carlo_error(50):.3f} with "
        "50. Tests by rank use 99 draws here, or 19 where each draw solves a problem anew: their "
        "level is the same as with more, their power a little lower.",
        "",
        f"**Offered** means: coverage between {LOW} and {HIGH} and size at most {SIZE}, within two "
        "Monte Carlo errors, in every judged design with that number of treated units (of treated "
        "townships where units are grouped). Stress designs are shown, not judged; nor are real "
        "panels, which not everybody has. A pair that a design's shape refuses is judged where it "
        "can be fitted.",
    ]


def _verdict_lines(verdicts: list[Verdict]) -> list[str]:
    lines = [
        "",
        "## Verdicts",
        "",
        "| method | inference | treated | coverage | size | cells | replications | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in verdicts:
        lines.append(
            f"| {one.pair.words} | {one.inference} | {one.treated} | {_plain(one.coverage)} | "
            f"{_plain(one.size)} | {one.cells} | {one.replications} | "
            f"{'**offered**' if one.is_offered else one.reason.replace('|', '/')} |"
        )
    return lines


def _rows(cells: Mapping[Task, Tally]) -> list[str]:
    rows = []
    for pair in dict.fromkeys(task.pair for task in cells):
        by_outcome = {
            task.outcome: tally
            for task, tally in cells.items()
            if task.pair == pair and tally.errors
        }
        # Fewer say nothing, and would only lengthen the table; the verdicts still name the pair.
        if any(len(one.errors) >= _SHOWN for one in by_outcome.values()):
            rows.append(table_row(pair, by_outcome.get("zero"), by_outcome.get("true")))
    return rows


def _refusals(cells: Mapping[Task, Tally]) -> list[str]:
    """List the pairs that gave no number, by reason."""
    by_reason: dict[str, list[str]] = {}
    for task, tally in cells.items():
        if not tally.is_refused:
            continue
        reasons = {**tally.refusals, **{f"fault: {k}": v for k, v in tally.faults.items()}}
        reason = max(reasons, key=lambda one: reasons[one]).replace("\n", " ")
        name = f"{task.pair.words} × {task.pair.inference}"
        names = by_reason.setdefault(reason, [])
        if name not in names:
            names.append(name)
    if not by_reason:
        return []
    lines = ["", "Refused:", ""]
    return lines + [f"- {reason}: {'; '.join(names)}" for reason, names in by_reason.items()]


def _number(summary: Summary | None, name: str) -> str:
    value = None if summary is None else getattr(summary, name)
    return "—" if value is None else f"{value:.3f}"


def _share(summary: Summary | None, name: str) -> str:
    return _plain(None if summary is None else getattr(summary, name))


def _plain(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
