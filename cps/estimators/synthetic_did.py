"""Synthetic difference-in-differences, with placebo, jackknife or bootstrap errors.

Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111(12), 4088-4118,
doi:10.1257/aer.20190159. Numbers agree with R ``synthdid``. Synthetic control (Abadie, Diamond &
Hainmueller 2010, doi:10.1198/jasa.2009.ap08746) and difference-in-differences are the same core
with other weights. Cohorts are estimated one at a time against never-treated units and averaged by
treated unit-periods, as in Clarke, Pailañir, Athey & Imbens (2024), doi:10.1177/1536867X241297914.

With the default penalty the estimate moves a little when all units are shocked alike in a
pre-period: the noise level, and so the penalty, is taken from first differences.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import Finding, Text
from cps.estimators._options import Number
from cps.estimators._scale import (
    described,
    path_points,
)
from cps.estimators._synth_covariates import optimized, projected
from cps.estimators._synth_errors import (
    ASSUMES,
    DRAWS,
    Spread,
    bootstrap_rows,
    placebo_starts,
)
from cps.estimators._synth_findings import (
    few_donors,
    few_pre_periods,
    few_treated,
    inference_notes,
    optimized_asks_for_sdid,
)
from cps.estimators._synth_gaps import (
    Calendar,
    Gaps,
    Outcomes,
    Slices,
    Solver,
    fixed_weights,
    gaps_under,
)
from cps.estimators._synth_weights import KINDS, STEPS, exact_weights, noise_level, stepwise_weights
from cps.result import Effect, EventTimeEffect, PeriodEffect, Weight

REFERENCE = "Arkhangelsky et al. (2021), AER 111(12), doi:10.1257/aer.20190159"
NAME = Text("合成双重差分", "Synthetic difference-in-differences")
ESTIMAND = Text(
    "启动以后各期对承办单位的平均效应（按承办单位×期数加权）",
    "average effect on the treated over all treated unit-periods",
)
SUPPORTS = frozenset({"covariates"})
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "weights": ("sdid", "sc", "did", "difp", "sc_reg", "difp_reg"),
    "errors": ("placebo", "jackknife", "jackknife_refit", "bootstrap", "none"),
    "covariates": ("projected", "optimized"),
    "solver": ("synthdid", "exact"),
    "draws": Number(DRAWS, 20, 100_000, is_whole=True),
}
__all__ = ["DRAWS"]
_DRAWN_STEPS = 1_000  # of the steps that R takes 10,000 of, where there are many assignments
_NAMES = {
    "sdid": NAME,
    "sc": Text("合成控制", "Synthetic control"),
    "did": Text("双重差分（同一启动批次逐批比较）", "Difference-in-differences, cohort by cohort"),
    "difp": Text("去均值合成控制", "Demeaned synthetic control"),
    "sc_reg": Text("合成控制（带岭惩罚）", "Synthetic control with a ridge penalty"),
    "difp_reg": Text(
        "去均值合成控制（带岭惩罚）", "Demeaned synthetic control with a ridge penalty"
    ),
}

Floats = NDArray[np.float64]


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design without two never-treated units, or with too few pre-periods to weight."""
    findings = [*few_donors(design)]
    need = 2 if KINDS[options["weights"]].fits_units else 1
    short = [g for g in design.cohorts if _pre(design, g).sum() < need]
    findings += few_pre_periods(design, short, need)
    findings += few_treated(design, options["errors"])
    findings += optimized_asks_for_sdid(design, options)
    return tuple(findings)


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Estimate the effect and its error.

    ``errors="placebo"``: the treated units' pattern of starts is given to comparison units drawn at
    random, and everything is estimated anew, weights too, ``draws`` times; all assignments are
    enumerated if there are no more than that. ``jackknife`` leaves out units in turn and keeps the
    weights (algorithm 3, as R and Stata do), ``jackknife_refit`` finds them anew; ``bootstrap``
    draws units with replacement. Covariates are taken out beforehand, and stay out.
    ``solver="synthdid"`` stops where R's iterations stop, so that published digits are met;
    ``exact`` goes on to the last digit, and is faster. With a penalty the two differ by hundredths
    of an error at most. Without one (``sc``, ``difp``) few periods leave weights open: R's depend
    on where it stops, exact ones are the most even. Placebos are exact wherever the penalty makes
    weights unique.
    """
    kind, calendar = KINDS[options["weights"]], _calendar(design)
    starts, (y, solve) = _starts(design), _adjusted(design, options)
    noise = _noise(design, y)
    plain = exact_weights if options["solver"] == "exact" else stepwise_weights
    actual = gaps_under(
        y, starts[None], calendar, kind, solve or plain, noise=noise, keep_weights=True
    )
    spread = _spread(design, y, actual=actual, noise=noise, options=options, seed=seed)
    cells = Slices.of(calendar)
    (overall,) = spread.estimates(actual, calendar.is_post[None], level)
    first = min(design.cohorts)
    n_draws = len(spread.gaps.gaps)
    is_ranked = spread.way == "placebo" and n_draws > 0
    return dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="synthetic_did",
            method_name=_NAMES[options["weights"]],
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference=spread.way if n_draws else "none",
            options=dict(options),
        ),
        p_value_floor=1 / (1 + n_draws) if is_ranked else None,
        n_pre=int(_pre(design, first).sum()),
        by_event_time=tuple(
            EventTimeEffect(int(e), one, size)
            for e, one, size in zip(
                cells.event_times,
                spread.estimates(actual, cells.events, level),
                _n_treated(actual, cells.events),
                strict=True,
            )
        ),
        by_cohort=tuple(
            PeriodEffect(g, one, size)
            for g, one, size in zip(
                design.cohorts,
                spread.estimates(actual, cells.cohorts, level),
                _n_treated(actual, cells.cohorts),
                strict=True,
            )
        ),
        by_calendar=tuple(
            PeriodEffect(design.periods[place], one, size)
            for place, one, size in zip(
                cells.places,
                spread.estimates(actual, cells.calendar, level),
                _n_treated(actual, cells.calendar),
                strict=True,
            )
        ),
        paths=path_points(design, _counterfactual(design, actual)),
        weights=_weights(design, actual),
        placebos=_placebos(spread, calendar) if is_ranked else (),
        findings=inference_notes(design, spread),
        assumes=ASSUMES.get(spread.way) if n_draws else None,
    )


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the estimate alone; weights that a penalty makes unique are solved to the last digit."""
    y, solve = _adjusted(design, options)
    gaps = gaps_under(
        y,
        _starts(design)[None],
        _calendar(design),
        KINDS[options["weights"]],
        solve or _many(options),
    )
    return float(gaps.mean(_calendar(design).is_post)[0])


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the estimates under many assignments, shape (n_assignments,).

    Weights that a penalty makes unique are solved to the last digit. Covariates are taken out once,
    as the design's own assignment has it (``optimized``: anew each time). NaN where an assignment
    leaves fewer than two units to compare with, or too few periods before a start.
    """
    starts = np.asarray(starts, float)
    kind = KINDS[options["weights"]]
    cohorts = np.unique(starts[np.isfinite(starts)]).astype(np.int64)
    calendar = Calendar(np.asarray(design.periods), cohorts, design.anticipation)
    short = calendar.is_pre.sum(axis=1) < (2 if kind.fits_units else 1)
    unfit = (np.isposinf(starts).sum(axis=1) < 2) | np.isin(starts, cohorts[short]).any(axis=1)
    found = np.full(len(starts), np.nan)
    if design.covariates is not None and options["covariates"] == "optimized":
        for row in np.flatnonzero(~unfit):
            given = [int(one) if np.isfinite(one) else None for one in starts[row]]
            found[row] = point(subset_design(design, cohort=given), options=options)
    elif not unfit.all():
        y, _ = _adjusted(design, options)
        calendar = Calendar(calendar.periods, cohorts[~short], design.anticipation)
        gaps = gaps_under(y, starts[~unfit], calendar, kind, _many(options))
        found[~unfit] = gaps.mean(calendar.is_post)
    return found


def points_without(
    design: Design, absent: NDArray[np.bool_], *, options: Mapping[str, str]
) -> Floats | None:
    """Give the estimates without some units, all at once; None where that is not the same.

    Covariates are explained by those who are there, and R's steps stop where these lead.

    Parameters
    ----------
    absent : ndarray of bool, shape (n, n_units)
    """
    is_exact = _many(options) is exact_weights
    if design.covariates is not None or options["errors"] != "placebo" or not is_exact:
        return None
    return points(design, np.where(absent, np.nan, _starts(design)), options=options)


def _many(options: Mapping[str, str], steps: int = _DRAWN_STEPS) -> Solver:
    """Choose how the weights of many assignments are found.

    To the last digit where they are unique. Where no penalty makes them so, where R's steps stop is
    part of what its estimate is, and placebos must be found as the estimate is.
    """
    kind = KINDS[options["weights"]]
    if kind.is_penalised or not kind.fits_units or options["solver"] == "exact":
        return exact_weights
    return partial(stepwise_weights, steps=steps)


def _pre(design: Design, cohort: int) -> NDArray[np.bool_]:
    return np.asarray(design.periods) < cohort - design.anticipation


def _calendar(design: Design) -> Calendar:
    return Calendar(np.asarray(design.periods), np.asarray(design.cohorts), design.anticipation)


def _starts(design: Design) -> Floats:
    """First treated periods; infinity for units to compare with, NaN for those kept out."""
    starts = design.starts
    starts[np.isinf(starts) & ~design.is_donor] = np.nan
    return starts


def _noise(design: Design, y: Outcomes) -> Floats:
    everyone = np.ones((1, design.n_donors), dtype=bool)
    own = y if isinstance(y, tuple) else (y,) * len(design.cohorts)
    return np.array(
        [
            noise_level(one[design.is_donor], everyone, _pre(design, g))[0]
            for one, g in zip(own, design.cohorts, strict=True)
        ]
    )


def _rows(y: Outcomes, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Outcomes:
    return tuple(one[rows] for one in y) if isinstance(y, tuple) else y[rows]


def _adjusted(design: Design, options: Mapping[str, str]) -> tuple[Outcomes, Solver | None]:
    """Give the outcome without what covariates explain, and weights found with them if so."""
    if design.covariates is None:
        return design.y, None
    if options["covariates"] == "projected":
        never = np.array([one is None for one in design.cohort]) & design.is_donor
        return projected(design.y, design.covariates, never), None
    starts, raw = _starts(design), design.covariates
    spread = raw.std(axis=(1, 2), ddof=1, keepdims=True)
    x = (raw - raw.mean(axis=(1, 2), keepdims=True)) / np.where(spread > 0, spread, 1.0)
    adjusted, weights = [], []
    for noise, g in zip(_noise(design, design.y), design.cohorts, strict=True):
        members, post = starts == g, np.asarray(design.periods) >= g
        beta, omega, lam = optimized(
            design.y[design.is_donor],
            design.y[members].mean(axis=0),
            x[:, design.is_donor],
            x[:, members].mean(axis=1),
            pre=_pre(design, g),
            post=post,
            noise=noise,
            zeta=noise * (members.sum() * post.sum()) ** 0.25,
        )
        full = np.zeros(len(starts))
        full[design.is_donor] = omega
        adjusted.append(design.y - np.tensordot(beta, x, axes=1))
        weights.append((full[None], lam[None]))
    given = iter(weights)  # cohort by cohort, in the order in which they are asked for
    return tuple(adjusted), lambda problem, kind: next(given)


def _spread(
    design: Design,
    y: Outcomes,
    *,
    actual: Gaps,
    noise: Floats,
    options: Mapping[str, str],
    seed: int,
) -> Spread:
    """Estimate under the assignments, or on the samples, that the error asks for."""
    kind, calendar, starts = KINDS[options["weights"]], _calendar(design), _starts(design)
    way, draws = options["errors"], int(options["draws"])
    if way == "placebo":
        treated = np.sort(starts[np.isfinite(starts)])
        given, drawn = placebo_starts(treated, design.n_donors, seed, draws=draws)
        solve = _many(options, STEPS if not drawn else _DRAWN_STEPS)
        pool = _rows(y, design.is_donor)
        stand_ins = gaps_under(pool, given, calendar, kind, solve, noise=noise)
        return Spread(way, stand_ins, drawn, design.n_donors)
    takes_part = np.flatnonzero(~np.isnan(starts))
    if way == "bootstrap":
        rows = takes_part[bootstrap_rows(starts[takes_part], seed, draws=draws)]
        gaps = gaps_under(_rows(y, rows), starts[rows], calendar, kind, exact_weights, noise=noise)
        return Spread(way, gaps, True)
    absent = np.zeros((len(takes_part), len(starts)), dtype=bool)
    absent[np.arange(len(takes_part)), takes_part] = True
    if way == "jackknife_refit":
        without = np.where(absent, np.nan, starts)
        return Spread(
            way, gaps_under(y, without, calendar, kind, exact_weights, noise=noise), False
        )
    if way == "jackknife":
        return Spread(way, fixed_weights(y, starts, calendar, actual, absent), False)
    nothing = np.zeros((0, len(calendar.cohorts), len(calendar.periods)))
    return Spread(way, Gaps(nothing, nothing[:, :, 0], nothing, nothing), False)


def _placebos(spread: Spread, calendar: Calendar) -> tuple[float, ...]:
    return tuple(spread.gaps.mean(calendar.is_post).tolist())


def _n_treated(actual: Gaps, keeps: NDArray[np.bool_]) -> list[int]:
    return [int(one) for one in keeps.any(axis=2) @ actual.sizes[0]]


def _counterfactual(design: Design, actual: Gaps) -> Floats:
    """Give the treated units' mean without treatment, cohorts weighted by their treated units."""
    treated = np.array([one is not None for one in design.cohort])
    share = actual.sizes[0] / actual.sizes[0].sum()
    return np.asarray(design.y[treated].mean(axis=0) - share @ actual.gaps[0])


def _weights(design: Design, actual: Gaps) -> tuple[Weight, ...]:
    found = []
    for c, g in enumerate(design.cohorts):
        units = zip(design.units, actual.unit_weights[0, c], strict=True)
        periods = zip(design.periods, actual.period_weights[0, c], strict=True)
        found += [Weight(g, unit, None, float(weight)) for unit, weight in units if weight > 0]
        found += [
            Weight(g, None, period, float(weight)) for period, weight in periods if weight > 0
        ]
    return tuple(found)
