"""Inference for few treated units from the comparison units' residuals.

Conley & Taber (2011), Review of Economics and Statistics 93(1), doi:10.1162/REST_a_00049.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._options import Number
from cps.estimators.inference._residual import (
    errors,
    infer_from,
    residual_refusals,
    small_sample_factor,
    stand_ins,
    weights_or_refuse,
)
from cps.estimators.registry import Refit
from cps.result import Effect

NAME = Text("Conley–Taber 推断", "Conley–Taber inference")
REFERENCE = "Conley & Taber (2011), REStat 93(1), doi:10.1162/REST_a_00049"
ASSUMES = Text(
    "承办单位的误差与对照单位同分布（规模、波动相近），单位之间独立；对照单位较多",
    "the treated units' errors are distributed like the comparison units' (similar size and "
    "volatility) and independent between units; comparison units are many",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "tails": ("symmetric", "equal"),
    "correction": ("small_sample", "none"),
    "draws": Number(9999, 99, 999_999, is_whole=True),
}


def needs(design: Design, effect: Effect, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design without residuals of comparison units."""
    return residual_refusals(design, effect)


def infer(
    design: Design,
    effect: Effect,
    refit: Refit,
    *,
    level: float,
    seed: int,
    options: Mapping[str, str],
) -> Effect:
    """Take the estimate's error to be what comparison units' residuals give in the treated's place.

    The treated units' weights are found by moving their outcomes, so that this serves every method
    that is linear in them: for a regression on treatment with unit and period effects they are the
    paper's. ``tails="equal"`` with ``correction="none"`` is the paper's interval; the default
    counts the estimate among the residuals and widens them for the comparison units' own noise,
    which holds the level with some twenty of them.

    Raises
    ------
    DesignError
        If the estimate is not linear in the treated units' outcomes.
    """
    weights = weights_or_refuse(design, effect, refit)
    parts = stand_ins(design, weights)
    widened = options["correction"] == "small_sample"
    found = errors(
        parts,
        np.ones(parts.shape),
        draws=int(options["draws"]),
        seed=seed,
        factor=small_sample_factor(design, weights) if widened else 1.0,
    )
    return infer_from(design, effect, found, level=level, tails=options["tails"], said=())
