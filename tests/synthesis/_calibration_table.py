"""Tables of the calibration studies, as docs/together.md shows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Draw = dict[str, Any]
Values = Callable[[Draw], float | None]


def panel_table(draws: list[Draw]) -> str:
    """Give the table of the panel study in Markdown, both modes side by side."""
    modes = ("headline_true", "headline_spurious")
    found = {mode: [one for one in draws if one["mode"] == mode and "att" in one] for mode in modes}
    head = "| what | bound | " + " | ".join(f"`{mode}`" for mode in modes) + " |"
    lines = [head, "|---|---|---|---|"]
    for what, target, values in _rows():
        cells = [_share([values(one) for one in found[mode]]) for mode in modes]
        lines.append(f"| {what} | {target} | {cells[0]} | {cells[1]} |")
    counts = ", ".join(f"{len(found[mode]):,} draws of `{mode}`" for mode in modes)
    refused = sum("refused" in one for one in draws)
    made = f"{counts}; {refused} draws of the generator refused." if refused else f"{counts}."
    parts = [*lines, *_without_bias(found), "", made, "", *_by_initiative(found["headline_true"])]
    return "\n".join(parts)


def _without_bias(found: dict[str, list[Draw]]) -> list[str]:
    """Say how often intervals and tests are right about estimates less their mean error.

    The generator chooses paths of villages near a threshold, which no comparison sees: what is left
    without that is the inference's own.
    """
    shares: list[list[str]] = []
    for draws in found.values():
        # Half the draws say how far estimates are off, the others are judged: none judges itself.
        known = [one for one in draws if "critical_value" in one]
        halves = [known[0::2], known[1::2]]
        own: list[float | None] = []
        everyone: list[float | None] = []
        for those, judged in (halves, halves[::-1]):
            if not those:
                continue
            bias = np.mean([np.subtract(one["att"], one["truth"]) for one in those], axis=0)
            for one in judged:
                t = np.abs(np.subtract(one["att"], one["truth"]) - bias) / np.array(one["se"])
                own.append(float((t <= one["reach"]).mean()))
                everyone.append(float((t > one["critical_value"]).any()))
        shares.append([_share(own), _share(everyone)])
    return [
        f"| less the generator's bias: {what} | {bound} | {' | '.join(cells)} |"
        for what, bound, cells in zip(
            ("95% intervals of the 15", "a simultaneous interval misses (a false rejection)"),
            ("95%", "≤ 5%"),
            zip(*shares, strict=True),
            strict=True,
        )
    ]


def _by_initiative(draws: list[Draw]) -> list[str]:
    """Give each initiative's coverage, bias and error in the mode with effects."""
    if not draws:
        return []
    from tests.synthesis.panel_calibration import _designs

    att, truth, se = (np.array([one[key] for one in draws]) for key in ("att", "truth", "se"))
    covered = np.array([one["covered"] for one in draws])
    ranks = np.array([one["rank_covered"] for one in draws])
    lines = [
        "| initiative | hosts | true effect | bias | s.d. of estimates | mean error | "
        "interval holds | rank set holds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for k, (name, design) in enumerate(_designs().items()):
        error = att[:, k] - truth[:, k]
        lines.append(
            f"| {name} | {design.n_treated} | {truth[:, k].mean():.3f} | {error.mean():+.3f} | "
            f"{error.std():.3f} | {np.sqrt((se[:, k] ** 2).mean()):.3f} | "
            f"{100 * covered[:, k].mean():.1f}% | {100 * ranks[:, k].mean():.1f}% |"
        )
    return lines


def write_table(page: Path, name: str, table: str) -> None:
    """Put a table between its marks on a page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{page} has no place marked {begin}")
    page.write_text(pattern.sub(lambda _: f"{begin}\n{table}\n{end}", text), encoding="utf-8")


def _share(values: list[float | None]) -> str:
    known: NDArray[np.float64] = np.array([one for one in values if one is not None], dtype=float)
    if not known.size:
        return "—"
    error = known.std(ddof=1) / np.sqrt(known.size) if known.size > 1 else float("nan")
    return f"{100 * known.mean():.1f}% (± {100 * error:.1f})"


def _mean(values: list[bool]) -> float:
    return float(np.mean(values))


def _false(one: Draw, which: str) -> bool | None:
    without = [hit for hit, truth in zip(one[which], one["truth"], strict=True) if truth == 0]
    return any(without) if without else None


def _order(one: Draw, which: str) -> bool | None:
    """Nothing to be right about where all effects are equal."""
    return bool(one[which]) if any(one["truth"]) else None


def _false_share(one: Draw) -> float:
    hits = [truth == 0 for hit, truth in zip(one["rejected_bh"], one["truth"], strict=True) if hit]
    return float(np.mean(hits)) if hits else 0.0


def _found(one: Draw, which: str) -> float | None:
    real = [hit for hit, truth in zip(one[which], one["truth"], strict=True) if truth != 0]
    return float(np.mean(real)) if real else None


def _rows() -> tuple[tuple[str, str, Values], ...]:
    """Give what is counted, its bound, and how it is read off a draw."""
    return (
        ("95% intervals of the 15, mean of all", "95%", lambda one: _mean(one["covered"])),
        ("all 15 simultaneous intervals at once", "95%", lambda one: one["all_covered"]),
        ("95% pooled intervals, mean of all 15", "≥ 95%", lambda one: _mean(one["pooled_covered"])),
        ("95% interval of the mean effect", "≥ 95%", lambda one: one["mean_covered"]),
        ("rank set of one alone, mean of all 15", "≥ 95%", lambda one: _mean(one["rank_covered"])),
        (
            "all 15 rank sets: the true order is in them",
            "≥ 95%",
            lambda one: one["all_ranks_covered"],
        ),
        ("the set of the best holds the best", "≥ 95%", lambda one: one["best_covered"][0]),
        ("the set of the top three holds them", "≥ 95%", lambda one: one["best_covered"][1]),
        ("Romano–Wolf rejects one without effect", "≤ 5%", lambda one: _false(one, "rejected_rw")),
        ("Benjamini–Hochberg: false among the rejected", "≤ 5%", _false_share),
        (
            "tests one by one reject one without effect",
            "none",
            lambda one: _false(one, "rejected_alone"),
        ),
        ("a trait is said to go with effects", "≤ 5% if none", lambda one: bool(one["traits"])),
        ("true effects that Romano–Wolf finds", "power", lambda one: _found(one, "rejected_rw")),
        (
            "the largest estimate is the best initiative's",
            "none",
            lambda one: _order(one, "largest_is_best"),
        ),
        (
            "estimates stand in the true order",
            "none",
            lambda one: _order(one, "estimates_in_true_order"),
        ),
        ("width of a rank set over 15", "width", lambda one: one["rank_width"] / 15),
        ("width of pooled over own intervals", "width", lambda one: one["width_ratio"]),
        ("error of pooled over own estimates", "error", lambda one: one["error_ratio"]),
    )
