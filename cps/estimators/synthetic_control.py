"""Synthetic control: plain, demeaned, matched on predictors, or augmented by ridge regression.

Abadie, Diamond & Hainmueller (2010), JASA 105(490), doi:10.1198/jasa.2009.ap08746, and (2015), AJPS
59(2), doi:10.1111/ajps.12116; Ferman & Pinto (2021), Quantitative Economics 12(4),
doi:10.3982/QE1596 (demeaned); Ben-Michael, Feller & Rothstein (2021), JASA 116(536),
doi:10.1080/01621459.2021.1929245 (augmented). Weights are solved to the last digit; numbers agree
with R ``augsynth`` and, where their search finds the same minimum, with R ``Synth`` and ``MSCMT``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.estimators._options import Free, Number
from cps.estimators._scale import described, path_points
from cps.estimators._synth_control import Notes, Rules, control_gaps
from cps.estimators._synth_errors import placebo_starts
from cps.estimators._synth_findings import (
    few_donors,
    few_pre_periods,
    no_constant_effect,
    no_placebo,
    quality_of_fit,
    wide_interval,
)
from cps.estimators._synth_gaps import Calendar, Gaps, Slices
from cps.estimators._synth_placebo import (
    Errors,
    blown_up,
    governing,
    inverted_interval,
    movement,
    prediction_errors,
    rank_p_value,
)
from cps.estimators._synth_predictors import (
    balanced_covariates,
    match_predictors,
    predictor_names,
    refuse_matching,
    unobserved_predictors,
)
from cps.estimators._synth_tables import control_tables
from cps.result import Effect, Estimate, EventTimeEffect, PeriodEffect, Weight

REFERENCE = "Abadie, Diamond & Hainmueller (2010), JASA 105(490), doi:10.1198/jasa.2009.ap08746"
NAME = Text("合成控制", "Synthetic control")
ESTIMAND = Text(
    "启动以后各期对承办单位的平均效应（按承办单位×期数加权）",
    "average effect on the treated over all treated unit-periods",
)
SUPPORTS = frozenset({"covariates", "covariate_gaps"})
OPTIONS: dict[str, tuple[str, ...] | Number | Free] = {
    "fit": ("outcomes", "covariates"),
    "intercept": ("no", "yes"),
    "augment": ("none", "ridge"),
    "ridge": Number("auto", low=0.0, words=("auto",)),
    "ridge_rule": ("one_se", "min"),
    "covariates": ("balance", "residualise"),
    "predictors": Free("", hint="name:first-last; name:1975; …"),
    "v": ("nested", "equal_start", "cross_validation", "equal"),
    "training": Free("", hint="first-last"),
    "followed": Free("", hint="first-last"),
    "units": ("pooled", "separate"),
    "placebo_pool": ("donors", "all", "none"),
    "interval": ("placebo", "none"),
}
ASSUMES = Text(
    "对照单位与承办单位可互换：把启动时间换给对照单位，启动前后误差之比的位次反映偶然性；"
    "区间另假定效应不随时间变化",
    "comparison and treated units are exchangeable: the rank of the ratio of errors after and "
    "before, among units where nothing started, shows what chance gives; the interval also takes "
    "the effect to be constant over time",
)
_NAMES = {
    ("no", "none"): NAME,
    ("yes", "none"): Text("去均值合成控制", "Demeaned synthetic control"),
    ("no", "ridge"): Text("岭增强合成控制", "Ridge-augmented synthetic control"),
    ("yes", "ridge"): Text("去均值岭增强合成控制", "Demeaned, ridge-augmented synthetic control"),
}
_REFERENCES = {
    "ridge": "Ben-Michael, Feller & Rothstein (2021), JASA 116(536), "
    "doi:10.1080/01621459.2021.1929245",
    "yes": "Ferman & Pinto (2021), Quantitative Economics 12(4), doi:10.3982/QE1596",
}

Floats = NDArray[np.float64]


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a design without donors or periods before a start, and options that can't go together."""
    findings = [*few_donors(design)]
    need = 3 if options["augment"] == "ridge" else 2
    calendar = _calendar(design, np.asarray(design.cohorts))
    short = [
        int(g) for g, pre in zip(design.cohorts, calendar.is_pre, strict=True) if pre.sum() < need
    ]
    findings += few_pre_periods(design, short, need, remedy=False)
    if options["fit"] == "covariates" and not short:
        findings += refuse_matching(design, options, calendar)
    if not findings:
        findings += unobserved_predictors(design, options, calendar)
    return tuple(findings)


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Estimate the effect, and the same for every donor as if it had been treated.

    With one treated unit every donor is a placebo; with several, their pattern of starts is given
    to donors drawn at random, for which ``seed`` is used. ``placebo_pool`` says whom a placebo is
    compared with: the other donors, or the treated units too, as Abadie, Diamond & Hainmueller have
    it. Placebo weights are found as the treated units' are, ``v`` included; a ridge penalty chosen
    for the treated units is kept.

    The interval inverts the ratio test. It is left out, and a finding says so, where the placebo that
    bounds it was followed more than ten times as closely before as the treated (beside each one's
    own movement), or where half its width exceeds the whole range of the outcome.
    """
    calendar = _calendar(design, np.asarray(design.cohorts))
    starts = _starts(design)
    given, drawn = _placebo_assignments(design, starts, options, seed)
    actual, placebos, notes = _with_placebos(design, starts, given, calendar, options)
    variance = float(design.y[design.is_donor].var())
    own, errors = (prediction_errors(one, calendar, variance) for one in (actual, placebos))
    overall, wide = _overall(
        design,
        actual,
        calendar,
        errors=(own, errors),
        assigned=(starts[None], given),
        with_interval=options["interval"] == "placebo",
        level=level,
    )
    n_placebos, cells = len(placebos.gaps), Slices.of(calendar)
    findings = (*quality_of_fit(design, actual, calendar), *wide)
    if not n_placebos and options["placebo_pool"] != "none":
        findings = (*findings, no_placebo(design, has_errors=False))
    return dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="synthetic_control",
            method_name=_NAMES[options["intercept"], options["augment"]],
            reference=_REFERENCES.get(
                options["augment"], _REFERENCES.get(options["intercept"], REFERENCE)
            ),
            estimand=ESTIMAND,
            inference="placebo" if n_placebos else "none",
            options=dict(options),
        ),
        p_value_floor=1 / (1 + n_placebos) if n_placebos else None,
        n_pre=int(calendar.is_pre[0].sum()),
        by_event_time=_by_event_time(actual, placebos, cells, own, errors),
        by_cohort=_by_period(actual, cells.cohorts, design.cohorts),
        by_calendar=_by_period(
            actual, cells.calendar, [design.periods[place] for place in cells.places]
        ),
        paths=path_points(design, _counterfactual(design, actual)),
        weights=_weights(design, actual),
        placebos=tuple(float(one) for one in placebos.mean(calendar.is_post)),
        findings=findings,
        assumes=ASSUMES if n_placebos else None,
        tables=control_tables(
            design,
            actual,
            placebos,
            calendar,
            given=given,
            errors=(own, errors),
            notes=notes,
            names=predictor_names(design, options, calendar),
            is_drawn=drawn,
        ),
    )


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the estimate alone."""
    calendar = _calendar(design, np.asarray(design.cohorts))
    gaps, _ = _gaps(design, _starts(design)[None], calendar, options)
    return float(gaps.mean(calendar.is_post)[0])


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the estimates under many assignments, shape (n_assignments,).

    NaN where an assignment leaves fewer than two units to compare with, or too few periods before
    a start, or nothing observed of a covariate before it.
    """
    starts = np.asarray(starts, float)
    cohorts = np.unique(starts[np.isfinite(starts)]).astype(np.int64)
    calendar = _calendar(design, cohorts)
    short = calendar.is_pre.sum(axis=1) < (3 if options["augment"] == "ridge" else 2)
    short |= np.array(
        [
            bool(unobserved_predictors(design, options, _calendar(design, g)))
            for g in cohorts[:, None]
        ],
        dtype=bool,
    )
    unfit = (np.isposinf(starts).sum(axis=1) < 2) | np.isin(starts, cohorts[short]).any(axis=1)
    found = np.full(len(starts), np.nan)
    if not unfit.all():
        calendar = _calendar(design, cohorts[~short])
        gaps, _ = _gaps(design, starts[~unfit], calendar, options)
        found[~unfit] = gaps.mean(calendar.is_post)
    return found


def _calendar(design: Design, cohorts: NDArray[np.int64]) -> Calendar:
    return Calendar(np.asarray(design.periods), cohorts, design.anticipation)


def _starts(design: Design) -> Floats:
    starts = design.starts
    starts[np.isinf(starts) & ~design.is_donor] = np.nan
    return starts


def _gaps(
    design: Design,
    starts: Floats,
    calendar: Calendar,
    options: Mapping[str, str],
    penalties: list[float] | None = None,
) -> tuple[Gaps, Notes]:
    search = "nested" if options["v"] == "cross_validation" else options["v"]
    rules = Rules(
        has_intercept=options["intercept"] == "yes",
        ridge=options["ridge"] if options["augment"] == "ridge" else "none",
        rule=options["ridge_rule"],
        residualise=options["covariates"] == "residualise",
        search=search,
    )
    return control_gaps(
        design.y,
        starts,
        calendar,
        rules,
        covariates=balanced_covariates(design, calendar) if options["fit"] == "outcomes" else None,
        predictors=match_predictors(design, options, calendar),
        penalties=penalties or None,
        apart=options["units"] == "separate",
    )


def _placebo_assignments(
    design: Design, starts: Floats, options: Mapping[str, str], seed: int
) -> tuple[Floats, bool]:
    treated = np.sort(starts[np.isfinite(starts)])
    placed, drawn = placebo_starts(treated, design.n_donors, seed)
    if options["placebo_pool"] == "none":
        placed = placed[:0]
    given = np.full((len(placed), len(starts)), np.nan)
    given[:, design.is_donor] = placed
    if options["placebo_pool"] == "all":
        given[:, np.isfinite(starts)] = np.inf
    return given, drawn


def _with_placebos(
    design: Design,
    starts: Floats,
    given: Floats,
    calendar: Calendar,
    options: Mapping[str, str],
) -> tuple[Gaps, Gaps, Notes]:
    """Fit the treated units and the placebos: in one batch, unless the latter take a penalty over."""
    if options["augment"] == "none":
        both, notes = _gaps(design, np.vstack([starts[None], given]), calendar, options)
        return both.part(slice(0, 1)), both.part(slice(1, None)), notes
    actual, notes = _gaps(design, starts[None], calendar, options)
    placebos, _ = _gaps(design, given, calendar, options, notes.penalties)
    return actual, placebos, notes


def _overall(
    design: Design,
    actual: Gaps,
    calendar: Calendar,
    *,
    errors: tuple[Errors, Errors],
    assigned: tuple[Floats, Floats],
    with_interval: bool,
    level: float,
) -> tuple[Estimate, tuple[Finding, ...]]:
    """Give the mean gap with its rank and, unless it makes no sense, its interval; say why not."""
    own, others = errors
    att = float(actual.mean(calendar.is_post)[0])
    if not len(others.ratio):
        return Estimate(att), ()
    alone = Estimate(att, p_value=rank_p_value(float(own.ratio[0]), others.ratio))
    place = governing(others.ratio, level)
    interval = inverted_interval(att, (own.pre[0], own.post[0]), others.ratio, level)
    if not with_interval or place is None:
        return alone, ()
    if interval is None:
        can_be = own.pre[0] > 0 and np.isfinite(others.ratio).all()
        return alone, no_constant_effect(design) if can_be else ()
    low, high = interval
    variance = float(design.y[design.is_donor].var())
    moves = [
        float(movement(design.y, one, calendar, variance)[0])
        for one in (assigned[0], assigned[1][place : place + 1])
    ]
    stands_in = np.flatnonzero(np.isfinite(assigned[1][place]))
    wide = wide_interval(
        design,
        placebo=design.units[stands_in[0]] if len(stands_in) == 1 else "",
        n_pre=int(calendar.is_pre[0].sum()),
        times=blown_up((own.pre[0], others.pre[place]), (moves[0], moves[1])),
        half=(high - low) / 2,
        reach=float(np.ptp(design.y)),
    )
    return (alone if wide else dataclasses.replace(alone, ci_low=low, ci_high=high)), wide


def _by_event_time(
    actual: Gaps, placebos: Gaps, cells: Slices, own: Errors, errors: Errors
) -> tuple[EventTimeEffect, ...]:
    """Give gaps; after the start, with the rank of each gap over the fit before."""
    values, others = actual.means(cells.events)[0], placebos.means(cells.events)
    p_values = np.full(len(values), np.nan)
    if len(others) and own.pre[0] > 0 and (errors.pre > 0).all():
        sizes = np.abs(others) / np.sqrt(errors.pre)[:, None]
        bound = np.abs(values) / np.sqrt(own.pre[0]) * (1 - 1e-12)
        p_values = (1 + (sizes >= bound).sum(axis=0)) / (1 + len(others))
    sizes_of = cells.events.any(axis=2) @ actual.sizes[0]
    return tuple(
        EventTimeEffect(
            int(e),
            Estimate(float(att), p_value=float(p) if e >= 0 and np.isfinite(p) else None),
            int(n),
        )
        for e, att, p, n in zip(cells.event_times, values, p_values, sizes_of, strict=True)
    )


def _by_period(
    actual: Gaps, keeps: NDArray[np.bool_], periods: Sequence[int]
) -> tuple[PeriodEffect, ...]:
    sizes = keeps.any(axis=2) @ actual.sizes[0]
    return tuple(
        PeriodEffect(int(period), Estimate(float(att)), int(n))
        for period, att, n in zip(periods, actual.means(keeps)[0], sizes, strict=True)
    )


def _counterfactual(design: Design, actual: Gaps) -> Floats:
    treated = np.array([one is not None for one in design.cohort])
    share = actual.sizes[0] / actual.sizes[0].sum()
    return np.asarray(design.y[treated].mean(axis=0) - share @ actual.gaps[0])


def _weights(design: Design, actual: Gaps) -> tuple[Weight, ...]:
    return tuple(
        Weight(g, unit, None, float(weight))
        for c, g in enumerate(design.cohorts)
        for unit, weight in zip(design.units, actual.unit_weights[0, c], strict=True)
        if abs(weight) > 1e-9
    )
