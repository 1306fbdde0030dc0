"""California's tobacco law: synthetic difference-in-differences and synthetic control."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import cps
from cps.design.record import Design
from cps.result import Effect
from tests.validation.table import Ours, card

SET = "prop99"
# Abadie, Diamond & Hainmueller (2010), table 1 and section 3.3.
PREDICTORS = (
    "lnincome:1980-1988; age15to24:1980-1988; retprice:1980-1988; beer:1984-1988; "
    "cigsale:1975; cigsale:1980; cigsale:1988"
)
STATES = ("Colorado", "Connecticut", "Montana", "Nevada", "Utah")
TOP = ("Nevada", "New Hampshire", "Connecticut", "Delaware", "Colorado")


def design(folder: Path, *, covariates: bool = False) -> Design:
    """Give the 39 states."""
    frame = pl.read_parquet(folder / "data.parquet").with_columns(
        cohort=pl.when(pl.col("treated").max().over("state") > 0).then(1989)
    )
    names = ("lnincome", "age15to24", "retprice", "beer") if covariates else ()
    return cps.design_from_frame(
        frame,
        unit="state",
        period="year",
        outcome="cigsale",
        cohort="cohort",
        covariates=names,
        missing="keep_covariates",
        name="prop99",
    )


def ours(folder: Path) -> dict[str, Ours]:
    """Give every target but the interrupted series."""
    plain = design(folder)
    by = {
        name: cps.estimate(plain, "synthetic_did", options={"weights": name})
        for name in ("sdid", "sc", "did")
    }
    exact = cps.estimate(plain, "synthetic_control")
    matched = cps.estimate(
        design(folder, covariates=True),
        "synthetic_control",
        options={"fit": "covariates", "predictors": PREDICTORS},
    )
    overall = {name: one.overall for name, one in by.items()}
    sdid = overall["sdid"]
    weights = {one.unit or one.period: one.weight for one in by["sdid"].weights}
    gaps = {one.event_time: float(one.estimate.att or 0.0) for one in matched.by_event_time}
    published = _gaps(plain, folder)
    table = matched.tables["placebo"]
    found = {f"{name}_att": Ours(one.att) for name, one in overall.items()}
    found |= {f"aer_t1_{name}": Ours(one.att, one.se) for name, one in overall.items()}
    return found | {
        "placebo_se_limit": Ours([overall[name].se for name in ("sdid", "sc", "did")]),
        "stata_placebo_ci": Ours(sdid.att, sdid.se, [sdid.ci_low, sdid.ci_high], sdid.p_value),
        "sdid_lambda": Ours([weights[year] for year in (1986, 1987, 1988)]),
        "sdid_omega_top": Ours([weights[state] for state in TOP]),
        "sc_exact_qp": Ours([exact.overall.att, _squares(exact)]),
        "adh_weights": Ours([_weight(matched, state) for state in STATES]),
        "adh_pub_weights_mspe": Ours(float((published[:19] ** 2).mean())),
        "adh_gap_2000": Ours(gaps[11]),
        "adh_mean_gap": Ours(matched.overall.att),
        "adh_ratio": Ours(table["ratio"][0], p=matched.overall.p_value),
    }


def _squares(effect: Effect) -> float:
    return sum(
        float(one.estimate.att or 0.0) ** 2 for one in effect.by_event_time if one.event_time < 0
    )


def _weight(effect: Effect, unit: str) -> float:
    return sum(one.weight for one in effect.weights if one.unit == unit)


def _gaps(one: Design, folder: Path) -> np.ndarray:
    """Give California's gaps with the published weights."""
    (target,) = (t for t in card(folder.parent, SET)["targets"] if t["id"] == "adh_weights")
    rows = [one.units.index(state) for state in STATES]
    return one.y[one.units.index("California")] - np.array(target["value"]) @ one.y[rows]
