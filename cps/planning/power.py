"""Try an initiative that is still to start on the untreated part of a panel, and count what is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design, Form, Initiative
from cps.design.subset import subset_design
from cps.errors import DesignError, Finding, Text, UsageError, unknown_choice
from cps.estimators.registry import Refit, estimate, refit
from cps.panel.record import Panel
from cps.planning._findings import cell_findings, nothing_estimated, too_long, too_many
from cps.planning._tests import Trials, share_found, smallest_found
from cps.planning.record import Plan, PowerCell, Scale
from cps.planning.untreated import untreated_part

Floats = NDArray[np.float64]

_WINDOWS = 12
_MOST_SHARE = 3.0
OWN = "own"
_FREE_DONORS = 2
ASSUMES = Text(
    "未来的波动与面板中未承办单位过去的波动相同；承办单位与它们相近；效应自启动起即达到所设大小并持续；"
    "各村不因他村承办而改变",
    "noise will be what it was in the panel's untreated units, and treated units are like them; the "
    "effect has its full size from the start on; nobody is changed by others' treatment",
)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of every cell."""

    part: Design
    method: str
    options: dict[str, str | float]
    inference: str | None
    inference_options: dict[str, str | float]
    level: float
    target: float
    scale: Scale
    sizes: tuple[float, ...]
    before: int
    rows: tuple[int, ...]  # of the units planned; empty where they are drawn
    start: int | None
    n_draws: int
    seed: int
    typical: float


def plan(
    source: Panel | Design,
    *,
    outcome: str = "income_yuan",
    form: Form | None = None,
    others: Sequence[Initiative] = (),
    areas: Sequence[str] = (),
    units: Sequence[str] = (),
    n_treated: Sequence[int] = (2, 4, 8, 15),
    periods_before: int = 3,
    periods_after: Sequence[int] = (1, 2, 3),
    sizes: Sequence[float] = (0.05, 0.10, 0.15, 0.20, 0.30),
    scale: Scale = "share",
    start: int | None = None,
    method: str = "synthetic_did",
    options: Mapping[str, str | float] | None = None,
    inference: str | None = None,
    inference_options: Mapping[str, str | float] | None = None,
    level: float = 0.95,
    power: float = 0.80,
    n_draws: int = 200,
    seed: int = 0,
) -> Plan:
    """Say how large an effect an initiative still to start could show, before it starts.

    Initiatives are pretended in units that never hosted any, in every stretch of the panel that is
    long enough, and estimated by the method that will be used: their estimates are noise alone. An
    effect added to them shifts each by its size (that the method does so is tried, not assumed), and
    the share that the test then finds is the power.

    Parameters
    ----------
    source : Panel or Design
        Of a design, its comparison units and its outcome are used; ``form``, ``others`` and
        ``areas`` are for panels alone.
    others : sequence of Initiative
        Their hosts are left out.
    areas : sequence of str
        Areas that comparison units will come from; all if empty.
    units : sequence of str
        The units planned; then ``n_treated`` has no part, and assignments are few.
    n_treated, periods_after : sequence of int
        Each pair of the two is a cell of the plan.
    periods_before : int
        Periods before the start that the evaluation will have.
    sizes : sequence of float
        Effects to try: shares (0.10 is 10%) or, with ``scale="absolute"``, amounts of the outcome's
        own unit per unit and period.
    start : int or None
        Pretend this start (ordinal) alone; every start that the panel has room for if None.
    method, options, inference, inference_options, level
        As in ``estimate``. Without ``inference`` the test is a rank among ``n_draws`` assignments of
        the same number of units in the same window (randomisation); ``"own"`` is the method's own
        interval. With either of the latter every assignment is estimated with its interval, which
        takes longer, and intervals that are too short show as false alarms.
    power : float
        That the minimum detectable effect must reach.
    n_draws : int
        Assignments a window; all of them if there are no more.

    Raises
    ------
    UsageError
        If a name is unknown or a number makes no sense.
    DesignError
        If too few untreated units or periods are there, or the method can't be fitted to them.
    """
    _require_sense(n_treated, periods_before, periods_after, sizes, power)
    part = untreated_part(source, outcome=outcome, form=form, others=others, areas=areas)
    for unit in units:
        if unit not in part.units:
            raise unknown_choice(
                Text("未承办的单位", "untreated unit"), unit, part.units, where="plan(units=…)"
            )
    last = part.y[:, -1][~np.isnan(part.y[:, -1])]
    typical = float(np.exp(last.mean()) if part.form == "log" else last.mean())
    question = _Question(
        part,
        method,
        dict(options or {}),
        inference,
        dict(inference_options or {}),
        level,
        power,
        scale,
        tuple(float(one) for one in sizes),
        periods_before,
        tuple(part.units.index(unit) for unit in units),
        start,
        n_draws,
        seed,
        typical,
    )
    numbers = [len(units)] if units else sorted(set(n_treated))
    cells: list[PowerCell] = []
    findings: list[Finding] = []
    for k in numbers:
        for after in sorted(set(periods_after)):
            cell, said = _cell(question, k, after)
            findings += said
            if cell is not None:
                cells.append(cell)
    if not cells:
        first = findings[0]
        raise DesignError(first.what, where=first.where, mend=first.mend, findings=findings)
    return Plan(
        outcome=part.outcome,
        measure=part.measure,
        form=part.form,
        method=method,
        options={name: str(value) for name, value in (options or {}).items()},
        inference=inference or "placebo",
        level=level,
        target_power=power,
        scale=scale,
        sizes=question.sizes,
        periods_before=periods_before,
        units=tuple(units),
        n_units=len(part.units),
        typical_level=typical,
        cells=tuple(cells),
        assumes=ASSUMES,
        findings=tuple(dict.fromkeys(findings)),
        is_synthetic=part.is_synthetic,
        seed=seed,
        source_hash=part.design_hash,
    )


def _require_sense(
    n_treated: Sequence[int],
    before: int,
    after: Sequence[int],
    sizes: Sequence[float],
    power: float,
) -> None:
    is_fine = (
        before >= 1
        and len(n_treated) > 0
        and len(after) > 0
        and len(sizes) > 0
        and min(n_treated) >= 1
        and min(after) >= 1
        and min(sizes) > 0
        and 0 < power < 1
    )
    if not is_fine:
        raise UsageError(
            Text("单位数、期数和效应大小都必须为正", "units, periods and sizes must be positive"),
            where="plan(n_treated=…, periods_before=…, periods_after=…, sizes=…, power=…)",
            mend=Text(
                "例如 n_treated=(2, 4)、periods_after=(1, 2)、sizes=(0.1, 0.2)、power=0.8",
                "n_treated=(2, 4), periods_after=(1, 2), sizes=(0.1, 0.2), power=0.8, say",
            ),
        )


def _cell(question: _Question, k: int, after: int) -> tuple[PowerCell | None, list[Finding]]:
    part = question.part
    if len(part.units) - k < _FREE_DONORS:
        return None, [too_many(k, len(part.units))]
    starts = _window_starts(question, after)
    if not starts:
        return None, [too_long(len(part.periods), question.before, after, question.start)]
    trials, effects_at = [], []
    for place in starts:
        one, cells = _trials(question, k, place, after)
        if len(one.estimates):
            trials.append(one)
            effects_at.append(cells)
    if not trials:
        return None, [nothing_estimated(question.method, k, after)]
    alpha = 1 - question.level

    def power_of(size: float) -> float:
        return share_found(trials, [_effects(question, size, one) for one in effects_at], alpha)

    floors = [one.floor for one in trials if one.floor is not None]
    floor = min(floors, default=None)
    most = _MOST_SHARE * (1.0 if question.scale == "share" else _span(question))
    smallest = smallest_found(power_of, question.target, most)
    natural = smallest
    if smallest is not None and question.scale == "share":
        natural = smallest * abs(question.typical)
    n_assignments = sum(len(one.estimates) for one in trials)
    false_alarms = power_of(0.0)
    cell = PowerCell(
        n_treated=k,
        periods_after=after,
        n_assignments=n_assignments,
        n_windows=len(trials),
        p_value_floor=floor,
        false_alarms=false_alarms,
        power=tuple(power_of(size) for size in question.sizes),
        minimum_detectable=smallest,
        minimum_detectable_natural=natural,
    )
    return cell, cell_findings(cell, alpha)


def _span(question: _Question) -> float:
    return max(abs(question.typical), float(np.nanstd(question.part.y_natural)))


def _window_starts(question: _Question, after: int) -> list[int]:
    """Give the places of the starts that have room, at most ``_WINDOWS`` of them, evenly spread."""
    n = len(question.part.periods)
    places = list(range(question.before, n - after + 1))
    if question.start is not None:
        return [one for one in places if question.part.periods[one] == question.start]
    if len(places) > _WINDOWS:
        places = [places[i] for i in np.linspace(0, len(places) - 1, _WINDOWS).round().astype(int)]
    return places


@dataclass(frozen=True, slots=True)
class _Around:
    """The treated units' outcomes without effect: before (n, k) on average, after (n, k, n_after)."""

    before: Floats
    after: Floats


def _trials(question: _Question, k: int, place: int, after: int) -> tuple[Trials, _Around]:
    part = question.part
    columns = np.zeros(len(part.periods), dtype=bool)
    columns[place - question.before : place + after] = True
    start = part.periods[place]
    rng = np.random.default_rng([question.seed, k, after, place])
    n = len(part.units)
    others = np.setdiff1d(np.arange(n), question.rows)
    drawn = _draw(others, k, question.n_draws, rng)
    chosen = np.array([question.rows]) if question.rows else drawn
    window = subset_design(part, periods=columns, cohort=_cohort(n, chosen[0], start))
    y = part.y[:, columns]
    if question.inference is not None:
        low, high, estimates = _intervals(question, window, chosen, start)
        known = np.isfinite(estimates)
        trials = Trials(estimates[known], None, False, low[known], high[known])
        return trials, _around(y, chosen[known], question.before)
    again = refit(window, question.method, options=question.options)
    estimates = again.under(_starts(n, chosen, start))
    _require_shift(question, again, y, chosen[:1], start=start, base=float(estimates[0]))
    reference = estimates if not question.rows else again.under(_starts(n, drawn, start))
    known = np.isfinite(estimates)
    trials = Trials(estimates[known], reference[np.isfinite(reference)], not question.rows)
    return trials, _around(y, chosen[known], question.before)


def _draw(
    units: NDArray[np.int64], k: int, n_draws: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    if comb(len(units), k) <= n_draws:
        return np.array(list(combinations(units.tolist(), k)), dtype=np.int64).reshape(-1, k)
    return np.array([rng.permutation(units)[:k] for _ in range(n_draws)])


def _cohort(n: int, rows: NDArray[np.int64], start: int) -> list[int | None]:
    chosen = set(rows.tolist())
    return [start if row in chosen else None for row in range(n)]


def _starts(n: int, chosen: NDArray[np.int64], start: int) -> Floats:
    starts = np.full((len(chosen), n), np.inf)
    np.put_along_axis(starts, chosen, float(start), axis=1)
    return starts


def _around(y: Floats, chosen: NDArray[np.int64], before: int) -> _Around:
    picked = y[chosen]
    with np.errstate(invalid="ignore"):
        return _Around(np.nanmean(picked[:, :, :before], axis=2), picked[:, :, before:])


def _effects(question: _Question, size: float, around: _Around) -> Floats:
    """Give the mean effect, on the estimation scale, that a size means to each trial's units."""
    is_log = question.part.form == "log"
    if question.scale == "share":
        if is_log:
            return np.full(len(around.before), np.log1p(size))
        return np.asarray(size * np.abs(around.before).mean(axis=1))
    if is_log:
        return np.asarray(np.nanmean(np.log1p(size / np.exp(around.after)), axis=(1, 2)))
    return np.full(len(around.before), size)


def _require_shift(
    question: _Question,
    again: Refit,
    y: Floats,
    chosen: NDArray[np.int64],
    *,
    start: int,
    base: float,
) -> None:
    """Refuse a method whose estimate does not move one for one with a constant effect."""
    if not np.isfinite(base):
        return
    step = float(np.nanstd(y)) or 1.0
    raised = y.copy()
    raised[chosen[0], question.before :] += step
    moved = again.under(_starts(len(y), chosen, start), y=raised)[0]
    if abs(moved - base - step) > 1e-3 * step:
        raise DesignError(
            Text(
                f"{question.method} 的估计不随效应等量变动（加 {step:.3g}，估计变 {moved - base:.3g}），"
                "这样的模拟不成立",
                f"the estimate of {question.method} does not move with the effect (added {step:.3g}, "
                f"moved {moved - base:.3g}): this simulation does not hold for it",
            ),
            where="plan(method=…)",
            mend=Text("换用其他方法", "take another method"),
        )


def _intervals(
    question: _Question, window: Design, chosen: NDArray[np.int64], start: int
) -> tuple[Floats, Floats, Floats]:
    ends = np.full((3, len(chosen)), np.nan)
    for place, rows in enumerate(chosen):
        pretended = subset_design(window, cohort=_cohort(len(window.units), rows, start))
        found = estimate(
            pretended,
            question.method,
            inference=None if question.inference == OWN else question.inference,
            level=question.level,
            seed=question.seed,
            options=question.options,
            inference_options=question.inference_options,
        ).overall
        if found.ci_low is None or found.ci_high is None or found.att is None:
            raise DesignError(
                Text(
                    f"{question.method} 的推断（{question.inference}）没有给出区间，无法据以模拟",
                    f"the inference {question.inference!r} of {question.method} gives no interval to "
                    "simulate with",
                ),
                where="plan(inference=…)",
                mend=Text(
                    "不设 inference，即按随机化排名检验",
                    "leave inference out: the test is then a rank among assignments",
                ),
            )
        ends[:, place] = found.ci_low, found.ci_high, found.att
    return ends[0], ends[1], ends[2]
