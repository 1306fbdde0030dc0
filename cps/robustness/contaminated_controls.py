"""Do some comparison units have a break of their own, and does the estimate hang on them?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cps.design._power import student_quantile
from cps.design.record import Design
from cps.design.subset import subset_design
from cps.errors import DesignError, Text
from cps.estimators.registry import estimate, point_estimate
from cps.result import Check, Effect, Estimate
from cps.robustness._parts import amount, several
from cps.robustness._units import can_take_in, join, mean_seen, take_in

NAME = Text("受污染的对照", "Contaminated comparison units")
SIZE = 0.05
_FEWEST = 6
_MAD = 1.4826
_MAD_EFFICIENCY = (
    0.37  # what the median deviation knows of a normal spread, as a share of the units
)


@dataclass(frozen=True, slots=True)
class _Breaks:
    """The donors with a break; ``largest`` is the largest of all, in robust standard deviations."""

    rows: list[int]  # of the design
    periods: list[int]
    sizes: list[float]
    largest: float
    bound: float


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why breaks can't be looked for, or None."""
    if design.n_donors < _FEWEST:
        return Text(
            f"对照单位不足 {_FEWEST} 个，看不出谁与众不同",
            f"fewer than {_FEWEST} comparison units: none can be seen to differ",
        )
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Look for breaks in comparison units from the first start on, and estimate without them.

    A break is a change of level, net of the median of the comparison units and in units of their
    robust spread, beyond a Bonferroni bound over units and periods. It passes if there is none, or
    if the estimate without those units lies within the headline's interval. Units that were left
    out as contaminated are put back, to show what leaving them out has changed; they have no part
    in the verdict.
    """
    breaks = _breaks(design)
    if not breaks.largest:
        reason = Text(
            "没有足够的对照单位在首次启动前后均有数据，或其全无波动，看不出突变",
            "too few comparison units are seen before and after the first start, or none varies: no "
            "break can be seen",
        )
        return Check("contaminated_controls", effect.method, None, None, None, NAME, reason)
    overall = effect.overall
    names = [design.units[row] for row in breaks.rows]
    keep = np.ones(len(design.units), dtype=bool)
    keep[breaks.rows] = False
    clean = _estimate(subset_design(design, units=keep), effect, seed) if names else None
    without = None if clean is None else clean.att
    put_back = [one for one in design.left_out if one.reason == "contaminated"]
    with_them = (
        _point(take_in(design, put_back), effect) if put_back and can_take_in(design) else None
    )
    verdict = _verdict(names, overall.att, clean)
    scan = Text(
        f"{design.n_donors} 个对照单位中有 {len(names)} 个在首次启动后另有水平突变"
        f"（最大为稳健标准差的 {breaks.largest:.1f} 倍，界限 {breaks.bound:.1f} 倍）",
        f"{len(names)} of {several(design.n_donors, 'comparison unit')} "
        f"{'breaks' if len(names) == 1 else 'break'} in level of their own after the "
        f"first start (the largest is {breaks.largest:.1f} robust standard deviations, the bound "
        f"{breaks.bound:.1f})",
    )
    zh, en = [scan.zh], [scan.en]
    if names and overall.att is not None:
        zh.append(f"：{join(names, comma='、')}")
        en.append(f": {join(names)}")
        if without is not None:
            one, other = amount(design, overall.att), amount(design, without)
            zh.append(f"；剔除后估计由 {one.zh} 变为 {other.zh}")
            en.append(f"; without them the estimate goes from {one.en} to {other.en}")
    if with_them is not None:
        back = amount(design, with_them)
        zh.append(f"；放回登记为受污染的 {len(put_back)} 个单位，估计为 {back.zh}")
        en.append(
            f"; with {several(len(put_back), 'unit')} declared contaminated put back the estimate is {back.en}"
        )
    return Check(
        name="contaminated_controls",
        method=effect.method,
        verdict=verdict,
        statistic=breaks.largest,
        threshold=breaks.bound,
        title=NAME,
        explanation=Text("".join(zh), "".join(en)),
        table={
            "unit": tuple(names),
            "period": tuple(breaks.periods),
            "break": tuple(breaks.sizes),
        },
    )


def _verdict(names: list[str], att: float | None, clean: Estimate | None) -> bool | None:
    if not names:
        return True
    if att is None or clean is None or clean.ci_low is None or clean.ci_high is None:
        return None
    return clean.ci_low <= att <= clean.ci_high


def _breaks(design: Design) -> _Breaks:
    periods = np.asarray(design.periods)
    rows = np.flatnonzero(design.is_donor)
    donors = design.y[rows]
    first = int(np.nanmin(design.starts))
    candidates = [period for period in design.periods if period >= first and period > periods[0]]
    df = max(_MAD_EFFICIENCY * (len(rows) - 1), 2.0)
    bound = student_quantile(1 - SIZE / (2 * len(rows) * max(len(candidates), 1)), df)
    worst = np.zeros(len(rows))
    when = np.full(len(rows), first)
    size = np.zeros(len(rows))
    for period in candidates:
        change = mean_seen(donors[:, periods >= period]) - mean_seen(donors[:, periods < period])
        known = np.isfinite(change)
        if known.sum() < _FEWEST:
            continue
        net = np.where(known, change - np.median(change[known]), 0.0)
        spread = _MAD * float(np.median(np.abs(net[known])))
        if spread <= 0:
            continue
        is_worse = np.abs(net) / spread > worst
        worst[is_worse], when[is_worse] = np.abs(net[is_worse]) / spread, period
        size[is_worse] = net[is_worse]
    flagged = [int(place) for place in np.argsort(-worst) if worst[place] > bound]
    # If half of them "break", there is no common course to break from.
    flagged = flagged[: len(rows) // 2]
    return _Breaks(
        [int(rows[place]) for place in flagged],
        [int(when[place]) for place in flagged],
        [float(size[place]) for place in flagged],
        float(worst.max(initial=0.0)),
        bound,
    )


def _estimate(design: Design, effect: Effect, seed: int) -> Estimate | None:
    try:
        found = estimate(
            design, effect.method, level=effect.level, seed=seed, options=effect.options
        )
    except DesignError:
        return None
    return found.overall if found.overall.att is not None else None


def _point(design: Design, effect: Effect) -> float | None:
    try:
        found = point_estimate(design, effect.method, options=effect.options)
    except DesignError:
        return None
    return found if found is not None and np.isfinite(found) else None
