"""Every check of every method: plain values, tables that make frames, words that agree."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings

import numpy as np
import polars as pl
import pytest

from cps.design.record import Design, LeftOut
from cps.estimators.registry import estimate, list_estimators, list_inferences
from cps.result import Check, Effect
from cps.robustness.registry import check_robustness, list_checks
from cps.runs import encode
from tests.robustness.worlds import noise, panel, world


def villages() -> Design:
    """Give two cohorts of four, and all that gives checks something to look at."""
    y = noise(20, seed=3)
    y[:4, 5:] += 6.0
    y[4:8, 6:] += 6.0
    one = world(y, [2019] * 4 + [2020] * 4 + [None] * 12)
    near = tuple(
        LeftOut(f"near{i}", "spillover" if i < 3 else "contaminated", line)
        for i, line in enumerate(noise(4, seed=4))
    )
    return dataclasses.replace(
        one,
        left_out=near,
        thresholds=(50.0, 55.0),
        regimes=("old",) * 8 + ("new",) * 2,
        covariates=None,
    )


def is_plain(check: Check) -> bool:
    cells = [check.statistic, check.threshold, *(c for col in check.table.values() for c in col)]
    return type(check.verdict) in (bool, type(None)) and all(
        type(one) in (int, float, str, type(None)) for one in cells
    )


def look_at(checks: tuple[Check, ...]) -> None:
    for one in checks:
        assert is_plain(one), one
        json.dumps(encode(one), allow_nan=False)
        frame = pl.DataFrame({name: list(values) for name, values in one.table.items()})
        assert len({len(values) for values in one.table.values()}) <= 1, one.name
        assert pl.Object not in frame.dtypes
        words = (one.explanation.zh, one.explanation.en)
        assert all(words), one.name
        assert not re.search(r"\b(nan|inf|None)\b", " ".join(words)), words
        assert not re.search(r"(?<![\d.])1 (?!times|is|lies|breaks)[a-z]+s\b", words[1]), words[1]


def lone(start: int = 2019) -> Design:
    y = noise(20, seed=3)
    y[0, start - 2014 :] += 6.0
    return world(y, [start, *[None] * 19])


def long() -> Design:
    return panel(n_treated=1, effect=6.0, years=range(2004, 2024))


def in_degrees() -> Design:
    one = villages()
    starts = np.array([np.inf if each is None else each for each in one.cohort])[:, None]
    dose = (np.array(one.periods) >= starts) * (np.arange(20)[:, None] % 4 + 1.0)
    return dataclasses.replace(one, dose=dose)


DESIGNS = {
    "dose_response": in_degrees,
    "matrix_completion": lone,
    "structural_time_series": lambda: lone(2022),
}


def bare(effect: Effect) -> Effect:
    """Take from an effect all that a method, or inference in its place, may not have."""
    none = {"se": None, "ci_low": None, "ci_high": None, "p_value": None}
    by_event_time = tuple(
        dataclasses.replace(one, estimate=dataclasses.replace(one.estimate, **none))
        for one in effect.by_event_time
    )
    return dataclasses.replace(
        effect,
        overall=dataclasses.replace(effect.overall, **none),
        by_event_time=by_event_time,
        event_covariance=(),
        inference="replaced",
        weights=(),
        paths=(),
        tables={},
    )


@pytest.mark.parametrize("method", list_estimators())
def test_checks_bear_every_method_with_its_errors_and_without(method: str) -> None:
    design = DESIGNS.get(method, villages)()
    effect = estimate(design, method)
    for one in (effect, bare(effect)):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            checks = check_robustness(design, one)
        assert [check.name for check in checks] == list(list_checks())
        look_at(checks)


# Where the inference is at home; another tries the method that takes most.
HOMES = {
    "conformal": ("imputation", lone),
    "debiased_t_test": ("synthetic_control", lone),
    "prediction_intervals": ("synthetic_control", long),
    "randomisation": ("imputation", lone),
    "wild_cluster_bootstrap": ("interaction_weighted", lone),
}


@pytest.mark.parametrize("inference", list_inferences())
def test_checks_bear_inference_in_the_place_of_a_methods_own(inference: str) -> None:
    method, make = HOMES.get(inference, ("group_time_att", villages))
    design = make()
    look_at(check_robustness(design, estimate(design, method, inference=inference)))
