"""County teen employment: Callaway & Sant'Anna's extract, output of R ``did`` and Stata ``csdid``."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import polars as pl

import cps
from cps.design.record import Design
from cps.result import Effect, Estimate
from tests.validation.table import Ours, Reference

SET = "mpdta"
_METHODS = {"dr": "doubly_robust", "reg": "regression", "ipw": "ipw"}


def ours(folder: Path) -> dict[str, Ours]:
    """Give group-time effects and aggregations, without covariates and with population."""
    plain = cps.estimate(_design(folder), "group_time_att")
    robust = cps.estimate(_design(folder, covariates=["lpop"]), "group_time_att")
    dynamic, group = plain.aggregations["dynamic"], plain.aggregations["group"]
    simple = robust.aggregations["simple"]
    return {
        "attgt_nocov": _vector([one.estimate for one in plain.group_time]),
        "dynamic_nocov": _vector([one.estimate for one in plain.by_event_time]),
        "dynamic_overall_nocov": _one(dynamic),
        "group_nocov": _vector([one.estimate for one in plain.by_cohort]),
        "group_overall_nocov": _one(group),
        "attgt_dr_lpop": _vector([one.estimate for one in robust.group_time]),
        "simple_dr_lpop": _one(simple),
        "event_dr_lpop": _vector([one.estimate for one in robust.by_event_time]),
    }


def references(folder: Path) -> list[Reference]:
    """Compare every row of R ``did``'s table: 24 specifications, effects and errors, Wald tests."""
    with (folder / "r_did_reference.csv").open() as handle:
        rows = [
            {key: value.strip() for key, value in row.items()} for row in csv.DictReader(handle)
        ]
    keys = ("cg", "cov", "em", "bp", "ant")
    effects = {key: _effect(folder, key) for key in {tuple(row[k] for k in keys) for row in rows}}
    gaps: dict[str, list[float]] = {"estimates": [], "standard errors": [], "p-values": []}
    for row in rows:
        effect = effects[tuple(row[k] for k in keys)]
        if row["type"] == "wald":
            table = effect.tables["pretest"]
            gaps["estimates"].append(abs(float(str(table["wald"][0])) - float(row["est"])))
            gaps["p-values"].append(abs(float(str(table["p_value"][0])) - float(row["se"])))
            continue
        one = dict(_numbers(effect))[row["type"], row["g"], row["t"]]
        gaps["estimates"].append(_gap(one.att, row["est"]))
        gaps["standard errors"].append(_gap(one.se, row["se"]))
    # The table has 13 digits, its p-values five; R's logit stops some 1e-11 before its maximum.
    tolerances = {"estimates": 1e-10, "standard errors": 1e-10, "p-values": 5.01e-6}
    return [
        Reference(f"R did, all {len(rows)} rows: {what}", len(found), max(found), tolerances[what])
        for what, found in gaps.items()
    ]


def _design(folder: Path, *, covariates: list[str] | None = None, anticipation: int = 0) -> Design:
    return cps.design_from_frame(
        pl.read_parquet(folder / "data.parquet"),
        unit="countyreal",
        period="year",
        outcome="lemp",
        cohort="first.treat",
        covariates=covariates or [],
        anticipation=anticipation,
    )


def _effect(folder: Path, key: tuple[str, ...]) -> Effect:
    _, covariates, method, base, anticipation = key
    design = _design(
        folder,
        covariates=[] if covariates == "none" else [covariates],
        anticipation=int(anticipation),
    )
    options = {"base": base, "covariate_method": _METHODS[method]}
    return cps.estimate(design, "group_time_att", options=options)


def _numbers(effect: Effect) -> Iterator[tuple[tuple[str, str, str], Estimate]]:
    for name, total in effect.aggregations.items():
        yield (f"{name}_overall", "NA", "NA"), total
    for cell in effect.group_time:
        yield ("attgt", str(cell.cohort), str(cell.period)), cell.estimate
    for event in effect.by_event_time:
        yield ("dynamic", "NA", str(event.event_time)), event.estimate
    for kind, parts in (("group", effect.by_cohort), ("calendar", effect.by_calendar)):
        for part in parts:
            yield (kind, "NA", str(part.period)), part.estimate


def _gap(ours: float | None, theirs: str) -> float:
    if theirs == "NA":
        return 0.0 if ours is None else math.inf
    return math.inf if ours is None else abs(ours - float(theirs))


def _one(estimate: Estimate) -> Ours:
    return Ours(estimate.att, estimate.se, [estimate.ci_low, estimate.ci_high])


def _vector(estimates: list[Estimate]) -> Ours:
    return Ours([one.att for one in estimates], [one.se for one in estimates])
