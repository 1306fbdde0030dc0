"""Placebo errors with Student's t: an interval where comparison units are too few for ranks.

The standard error of Arkhangelsky et al. (2021), algorithm 4, doi:10.1257/aer.20190159, with the
quantiles that an error estimated from so few units has; with one treated unit and plain averages
it is the two-sample t interval (Donald & Lang 2007, doi:10.1162/rest.89.2.221).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._options import Number
from cps.estimators._regression_errors import rounding_floor
from cps.estimators._scale import natural_scale
from cps.estimators.inference._assign import assign
from cps.estimators.inference._events import bare
from cps.estimators.inference._refuse import clusters_ignored, refusals
from cps.estimators.registry import Refit
from cps.result import Effect, Estimate

NAME = Text("安慰剂误差与 t 分布", "Placebo errors with Student's t")
REFERENCE = "Arkhangelsky et al. (2021), AER 111(12); Donald & Lang (2007), REStat 89(2)"
ASSUMES = Text(
    "承办单位的误差与对照单位同方差、近似正态，单位之间独立",
    "the treated units' errors vary like the comparison units', are nearly normal, and are "
    "independent between units",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "draws": Number(999, 19, 99_999, is_whole=True),
}
_LEAST = 5  # comparison units; with fewer, one odd unit decides the error


def needs(design: Design, effect: Effect, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design whose comparison units can't stand in for the treated, or are too few."""
    found = list(refusals(design, effect, {"scheme": "donors"}))
    found += clusters_ignored(design)
    if design.n_donors < _LEAST:
        found.append(
            Finding(
                "E-INF-FEW-DONORS",
                "reject",
                Text(
                    f"对照单位 {design.n_donors} 个，不足 {_LEAST} 个，估不出误差",
                    f"{design.n_donors} comparison units, fewer than {_LEAST}, show no error",
                ),
                design.name,
                Text("放宽对照范围", "widen the comparison"),
            )
        )
    return tuple(found)


def infer(
    design: Design,
    effect: Effect,
    refit: Refit,
    *,
    level: float,
    seed: int,
    options: Mapping[str, str],
) -> Effect:
    """Take the placebos' root mean square for the error, with as many degrees of freedom as units.

    Comparison units stand in for the treated ones, all ways of it where they are few; degrees of
    freedom are the comparison units less one, however many ways there are.
    """
    from scipy.special import stdtr, stdtrit

    att = effect.overall.att
    if att is None:
        return effect
    others = assign(design, "donors", int(options["draws"]), seed)
    placebos = refit.under(others.starts, units=others.units)
    placebos = placebos[np.isfinite(placebos)]
    error = float(np.sqrt((placebos**2).mean())) if len(placebos) > 1 else 0.0
    freedom = design.n_donors - 1
    overall = Estimate(att)
    if error > rounding_floor(design):
        half = float(stdtrit(freedom, 0.5 + level / 2)) * error
        p_value = float(2 * stdtr(freedom, -abs(att) / error))
        overall = Estimate(att, error, att - half, att + half, p_value)
    note = Finding(
        "N-INF-PLACEBO-T",
        "note",
        Text(
            f"{len(placebos)} 次安慰剂的均方根作标准误，t 分布自由度 {freedom}",
            f"the root mean square of {len(placebos)} placebos is the standard error, with "
            f"{freedom} degrees of freedom",
        ),
        design.name,
        Text("对照单位达 20 个时以 randomisation 为准", "from twenty units on, take randomisation"),
    )
    return dataclasses.replace(
        bare(effect, overall),
        natural=natural_scale(design, overall),
        level=level,
        p_value_floor=None,
        placebos=tuple(float(one) for one in placebos),
        findings=(*effect.findings, note),
    )
