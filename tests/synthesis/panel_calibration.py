"""How often intervals, tests and rank sets are right on demonstration panels with known effects.

Usage: python -m tests.synthesis.panel_calibration --out FILE.jsonl [--draws 2000] [--workers 2]
       python -m tests.synthesis.panel_calibration --out FILE.jsonl --write docs/together.md

Each draw is a whole demonstration world in both modes, the headline estimate of each of the fifteen
initiatives by the battery's own rule, and the judgement of all together that the overview shows.
What is in FILE already is not drawn again.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import multiprocessing
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import cps
from cps.demo import MODES
from cps.demo._villages import YEARS
from cps.demo._world import World, draw_world
from cps.design.record import Design
from cps.estimators.battery import _estimated, _headline
from cps.estimators.registry import count_treated
from cps.panel.record import PANEL_KEYS, Panel
from cps.result import Effect
from cps.synthesis.family_judgement import Judgement, join_headlines, judge_family
from cps.synthesis.together import TRAITS
from cps.synthesis.traits import family_of, initiative_traits

Floats = NDArray[np.float64]

FIRST_SEED = 1_000
RESAMPLES = 1_999
_AT_LEVEL = 0.05 + 1e-12


def panel_of(world: World) -> Panel:
    """Build the panel of incomes that the ledgers of a world give back; tests prove that they do."""
    income = _by_year(world.income_yuan)
    rows = [
        {
            "unit": one.name,
            "area": one.area,
            "period": year,
            "period_label": str(year),
            "regime": "2004" if year < 2024 else "2023",
            "is_synthetic": True,
            "income_yuan": int(income[i, t]),
        }
        for i, one in enumerate(world.villages)
        for t, year in enumerate(YEARS)
    ]
    frame = pl.DataFrame(rows, schema={**PANEL_KEYS, "income_yuan": pl.Int64()})
    return Panel(frame.sort("unit", "period"), "year", "village", (), (), True)


@functools.cache
def _initiatives() -> tuple[Any, ...]:
    return cps.load_initiatives()


@functools.cache
def _designs() -> dict[str, Design]:
    """Designs whose outcomes are put in anew: who is compared with whom hangs on no draw."""
    panel = panel_of(draw_world(_initiatives(), is_spurious=False, seed=FIRST_SEED))
    return {one.id: cps.make_design(panel, one, others=_initiatives()) for one in _initiatives()}


def one_draw(seed: int, mode: str) -> dict[str, Any]:
    """Draw a world, estimate, judge, and say what was right."""
    world = draw_world(_initiatives(), is_spurious=mode == "headline_spurious", seed=seed)
    income = _by_year(world.income_yuan)
    gain = _by_year(sum(world.effect_yuan.values(), np.zeros_like(world.income_yuan)))
    log_gain = np.log(income / (income - gain))
    place = {one.name: i for i, one in enumerate(world.villages)}
    designs, effects, truth = {}, {}, []
    for name, base in _designs().items():
        rows = [place[unit] for unit in base.units]
        design = dataclasses.replace(base, y=np.log(income[rows]), y_natural=income[rows])
        specification, _ = _headline(design)
        designs[name] = design
        effects[name] = _estimated(design, specification, count_treated(design), 0.95, 0)
        is_treated = np.asarray(design.periods)[None, :] >= design.starts[:, None]
        truth.append(float(log_gain[rows][is_treated].mean()))
    names = list(designs)
    families = {one.format: family_of(one.format) for one in _initiatives()}
    traits = initiative_traits(_initiatives(), designs, families=families)
    judged = judge_family(
        join_headlines(names, designs, effects),
        {name: traits[name] for name in TRAITS},
        draws=RESAMPLES,
        seed=seed,
    )
    return {"mode": mode, "seed": seed, **_rights(np.array(truth), effects, judged)}


def _rights(truth: Floats, effects: dict[str, Effect], judged: Judgement) -> dict[str, Any]:
    """Hold a judgement against the truth."""
    pooled, tests, ranks, alone = judged.pooled, judged.tests, judged.ranks, judged.ranks_alone
    if pooled is None or tests is None or ranks is None or alone is None:
        raise ValueError(f"refused: {judged.refusals}")
    own = [one.overall for one in effects.values()]
    att = np.array([one.att for one in own], dtype=float)
    true_rank = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
    by_rank = np.argsort(-truth, kind="stable")
    is_best = [truth >= truth[by_rank[size - 1]] for size in (1, 3)]
    return {
        "truth": _rounded(truth),
        "att": _rounded(att),
        "se": _rounded(np.array([one.se for one in own], dtype=float)),
        "covered": _holds([one.ci_low for one in own], truth, [one.ci_high for one in own]),
        "all_covered": all(_holds(tests.low, truth, tests.high)),
        "critical_value": round(tests.critical_value, 6),
        "reach": round(_reach(own), 6),
        "pooled_covered": _holds(pooled.low, truth, pooled.high),
        "mean_covered": bool(pooled.mean_low <= truth.mean() <= pooled.mean_high),
        "width_ratio": round(
            float(np.mean([high - low for low, high in _ends(pooled.low, pooled.high)]))
            / float(np.mean([one.ci_high - one.ci_low for one in own])),  # type: ignore[operator]
            6,
        ),
        "error_ratio": round(
            float(
                np.sqrt(((np.array(pooled.effect, float) - truth) ** 2).mean())
                / np.sqrt(((att - truth) ** 2).mean())
            ),
            6,
        ),
        "rank_covered": _holds(alone.low, true_rank, alone.high),
        "all_ranks_covered": all(_holds(ranks.low, true_rank, ranks.high)),
        "rank_width": float(np.mean(np.array(ranks.high) - np.array(ranks.low) + 1)),
        "estimates_in_true_order": bool((np.argsort(-att) == by_rank).all()),
        "largest_is_best": bool(is_best[0][int(att.argmax())]),
        "best_covered": [
            bool(np.array(judged.may_lead[size])[best].all())
            for size, best in zip((1, 3), is_best, strict=True)
        ],
        "rejected_alone": [one is not None and one <= _AT_LEVEL for one in tests.p_value],
        "rejected_rw": [bool(one) for one in tests.is_rejected],
        "rejected_bh": [one is not None and one <= _AT_LEVEL for one in judged.discoveries],
        "traits": [one.trait for one in judged.traits if one.verdict == "goes_with"],
    }


def _reach(own: list[Any]) -> float:
    """Give half the width of intervals in standard errors, the mean of the fifteen."""
    return float(np.mean([(one.ci_high - one.ci_low) / 2 / one.se for one in own]))


def _by_year(months: NDArray[Any]) -> Floats:
    return np.asarray(months.reshape(len(months), len(YEARS), 12).sum(axis=2), dtype=float)


def _ends(low: Iterable[Any], high: Iterable[Any]) -> list[tuple[float, float]]:
    return list(zip(low, high, strict=True))


def _holds(low: Iterable[Any], truth: Iterable[Any], high: Iterable[Any]) -> list[bool]:
    return [bool(a <= b <= c) for a, b, c in zip(low, truth, high, strict=True)]


def _rounded(values: Floats) -> list[float]:
    return [round(float(one), 6) for one in values]


def _line(job: tuple[int, str]) -> str:
    try:
        found = one_draw(*job)
    except RuntimeError as error:  # the demonstration finds no noise of the size wanted
        found = {"mode": job[1], "seed": job[0], "refused": str(error)}
    return json.dumps(found, ensure_ascii=False)


def run(out: Path, *, draws: int, workers: int, modes: tuple[str, ...] = MODES) -> None:
    """Draw what ``out`` does not hold yet, a line a draw and mode."""
    done = {(one["seed"], one["mode"]) for one in read(out)}
    jobs = [
        (seed, mode)
        for seed in range(FIRST_SEED, FIRST_SEED + draws)
        for mode in modes
        if (seed, mode) not in done
    ]
    with out.open("a", encoding="utf-8") as file:
        if workers == 1:
            for job in jobs:
                print(_line(job), file=file, flush=True)
            return
        # Spawned: polars may hold a lock that a fork would inherit for ever.
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            for line in pool.imap_unordered(_line, jobs, chunksize=4):
                print(line, file=file, flush=True)


def read(out: Path) -> list[dict[str, Any]]:
    """Read the draws made so far; a last line that was cut off is drawn again."""
    if not out.exists():
        return []
    text = out.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        out.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


if __name__ == "__main__":
    from tests.synthesis._calibration_table import panel_table, write_table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--mode", choices=MODES, help="one mode alone; both if not given")
    parser.add_argument("--write", type=Path, help="page whose table is written anew")
    given = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    if given.draws:
        modes = (given.mode,) if given.mode else MODES
        run(given.out, draws=given.draws, workers=given.workers, modes=modes)
    table = panel_table(read(given.out))
    if given.write:
        write_table(given.write, "panels", table)
    print(table)
