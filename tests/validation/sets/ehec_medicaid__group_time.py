"""Medicaid expansions, 46 states: group-time effects with not-yet-treated comparison."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import polars as pl

import cps
from tests.validation.table import Ours, card

SET = "ehec_medicaid"


def ours(folder: Path) -> dict[str, Ours]:
    """Give ATT(g, t) in the card's order, the cell of 2014 by itself, and the simple average."""
    design = cps.design_from_frame(
        pl.read_parquet(folder / "data.parquet"),
        unit="stfips",
        period="year",
        outcome="dins",
        cohort="yexp2",
    )
    effect = cps.estimate(design, "group_time_att", options={"control": "not_yet"})
    cells = {(one.cohort, one.period): one.estimate for one in effect.group_time}
    listed = [cells[cell] for cell in _cells_listed(folder)]
    simple = effect.aggregations["simple"]
    return {
        "attgt_nyt": Ours([one.att for one in listed], [one.se for one in listed]),
        "att_2014_2014": Ours(cells[2014, 2014].att),
        "simple_nyt": Ours(simple.att, simple.se, [simple.ci_low, simple.ci_high]),
    }


def _cells_listed(folder: Path) -> list[tuple[int, int]]:
    """Read from the card which cells are printed, and in what order."""
    target = next(one for one in card(folder.parent, SET)["targets"] if one["id"] == "attgt_nyt")
    listed = re.search(r"\[\(.*\)\]", target["spec"])
    return [] if listed is None else list(ast.literal_eval(listed.group()))
