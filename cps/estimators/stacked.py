"""Stacked difference-in-differences: one clean comparison for each cohort, put on top of another.

Cengiz, Dube, Lindner & Zipperer (2019), Quarterly Journal of Economics 134(3), 1405-1454,
doi:10.1093/qje/qjz014; with the corrective weights of Wing, Freedman & Hollingsworth (2024), NBER
working paper 32054, doi:10.3386/w32054.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import DesignError, Finding, Text
from cps.estimators._options import Number
from cps.estimators._regression import Regression, SmallSample, as_codes, regress
from cps.estimators._regression_errors import without_false_errors
from cps.estimators._regression_events import corrective_weights
from cps.estimators._regression_panel import (
    COVARIATES,
    Rows,
    assigned,
    collinear_finding,
    few_treated,
    level_findings,
    rows_of,
    t_estimate,
    under_each,
    unfitted,
)
from cps.estimators._regression_stack import stacked_points
from cps.estimators._regression_stack_findings import left_out_findings
from cps.estimators._scale import described
from cps.result import Effect, Estimate, EventTimeEffect

REFERENCE = (
    "Cengiz et al. (2019), QJE 134(3), doi:10.1093/qje/qjz014; "
    "Wing, Freedman & Hollingsworth (2024), doi:10.3386/w32054"
)
NAME = Text("堆叠双重差分", "Stacked difference-in-differences")
ESTIMAND = Text(
    "窗口完整的启动批次在窗口内各期对承办单位的平均效应（修正权重），或其方差加权平均（等权）",
    "average effect on the treated over the window, for cohorts with a whole window (corrected), or "
    "a variance-weighted average of it (plain)",
)
ASSUMES = Text(
    "窗口内承办单位若未承办则与干净对照变化平行，且无预期反应；聚类之间独立，聚类（含承办的）不少",
    "within the window parallel trends with clean controls, and no anticipation; independent "
    "clusters, neither few nor few treated",
)
OPTIONS: dict[str, tuple[str, ...] | Number] = {
    "weights": ("corrected", "plain"),
    "control": ("not_yet", "never"),
    "pre": Number("auto", low=1, is_whole=True, words=("auto", "all")),
    "post": Number("auto", low=0, is_whole=True, words=("auto", "all")),
    "covariates": COVARIATES,
    "cluster_by": ("unit", "stack"),
    "small_sample": ("nested", "full", "none"),
}
SUPPORTS = frozenset({"gaps", "covariates", "weights", "clusters"})
_TREATED = "(treated)"

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Window:
    """Event times kept, and the cohorts that have all of them."""

    low: int  # first event time; −anticipation − 1 is the reference
    high: int
    cohorts: tuple[int, ...]
    trimmed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Stack:
    """Rows of the panel, once for each sub-experiment that they are part of."""

    row: Codes  # place among the rows of the design
    stack: Codes  # place of the sub-experiment among ``cohorts``
    event: Codes  # period less the sub-experiment's start
    treated: NDArray[np.bool_]
    weights: Floats
    cohorts: tuple[int, ...]  # with clean controls
    lonely: tuple[int, ...]  # without


def needs(design: Design, options: Mapping[str, str]) -> tuple[Finding, ...]:
    """Reject a window that no cohort has, and cohorts that no clean control stands against."""
    findings = level_findings(design, {})
    if findings:
        return findings
    if options["weights"] == "corrected" and "all" in (options["pre"], options["post"]):
        return (
            _reject(
                design,
                "E-EST-NO-WINDOW",
                Text(
                    "修正权重要求各批次窗口相同，pre、post 不能为 all",
                    "corrective weights need the same window for every cohort: pre and post can't be "
                    "'all'",
                ),
                Text("给出期数，或用 weights=plain", "give numbers, or use weights=plain"),
            ),
        )
    window = _window(design, options)
    if window is None:
        return (
            _reject(
                design,
                "E-EST-NO-WINDOW",
                Text(
                    "没有一个启动批次在面板内有完整的窗口",
                    "no cohort has the whole window within the panel",
                ),
                Text("缩短 pre 或 post", "shorten pre or post"),
            ),
        )
    if not _stack(design, rows_of(design, options), window, options).cohorts:
        return (
            _reject(
                design,
                "E-EST-NO-CLEAN-CONTROL",
                Text(
                    "窗口内没有任何批次有干净的对照单位",
                    "no cohort has a clean control throughout its window",
                ),
                Text("缩短 post，或加入从未处理的单位", "shorten post, or add never-treated units"),
            ),
        )
    return ()


def fit(design: Design, *, level: float, seed: int, options: Mapping[str, str]) -> Effect:
    """Stack the sub-experiments and regress.

    ``corrected``: controls are weighted so that each sub-experiment's share of the controls is its
    share of the treated; the overall effect is the mean over the event times from the start on.
    ``plain``: unit and period effects by sub-experiment, and one coefficient for treatment. Errors
    are clustered by unit (or the design's clusters), since a unit can be in several
    sub-experiments. ``seed`` is not used: nothing is drawn.
    """
    rows, window, stack = _prepared(design, options)
    fitted = _regress(rows, window, stack, design, options, dynamic=True)
    reference = -1 - design.anticipation
    events = [
        e
        for e in range(int(stack.event.min()), int(stack.event.max()) + 1)
        if e == reference or _name(e) in fitted.names
    ]
    by_event = {e: fitted.get(_name(e)) for e in events if e != reference}
    if not any(e >= 0 for e in events):
        raise _nothing_after(design)
    joint = np.zeros((len(events), len(events)))
    real = [k for k, e in enumerate(events) if e != reference]
    place = [fitted.names.index(_name(events[k])) for k in real]
    joint[np.ix_(real, real)] = fitted.covariance[np.ix_(place, place)]
    post = np.array([e >= 0 for e in events], dtype=float)
    post = post / post.sum()
    mean = float(sum(by_event[e][0] for e in events if e >= 0) / sum(e >= 0 for e in events))
    dynamic = t_estimate(mean, float(np.sqrt(post @ joint @ post)), level, fitted.degrees)
    aggregations = {"dynamic": dynamic}
    overall = dynamic
    if options["weights"] == "plain":
        static = _regress(rows, window, stack, design, options, dynamic=False)
        overall = t_estimate(*static.get(_TREATED), level, static.degrees)
        aggregations["simple"] = overall
    treated = np.isin(design.starts, stack.cohorts)
    controls = np.unique(rows.unit[stack.row[~stack.treated]])
    effect = dataclasses.replace(
        described(
            design,
            overall,
            level=level,
            method="stacked",
            method_name=NAME,
            reference=REFERENCE,
            estimand=ESTIMAND,
            inference="analytic",
            options=dict(options),
        ),
        n_treated=int(treated.sum()),
        n_comparison=len(controls),
        n_pre=sum(e < -design.anticipation for e in events),
        n_post=sum(e >= 0 for e in events),
        by_event_time=tuple(
            EventTimeEffect(
                e,
                t_estimate(*by_event[e], level, fitted.degrees) if e in by_event else Estimate(0.0),
                len(np.unique(rows.unit[stack.row[stack.treated & (stack.event == e)]])),
            )
            for e in events
        ),
        aggregations=aggregations,
        findings=(
            *left_out_findings(
                design, window.trimmed, stack.lonely, low=window.low, high=window.high
            ),
            *collinear_finding(
                design, tuple(name for name in fitted.dropped if name in rows.names)
            ),
            *few_treated(design),
        ),
        assumes=ASSUMES,
        event_covariance=tuple(tuple(map(float, row)) for row in joint),
        tables={
            "stacks": _sizes(rows, stack),
            "window": {"first_event": (events[0],), "last_event": (events[-1],)},
        },
    )
    return without_false_errors(design, effect)


def point(design: Design, *, options: Mapping[str, str]) -> float:
    """Give the overall effect alone."""
    rows, window, stack = _prepared(design, options)
    if options["weights"] == "plain":
        fitted = _regress(rows, window, stack, design, options, dynamic=False)
        return fitted.get(_TREATED)[0]
    fitted = _regress(rows, window, stack, design, options, dynamic=True)
    after = [fitted.get(name)[0] for name in fitted.names if _is_after(name)]
    if not after:
        raise _nothing_after(design)
    return float(np.mean(after))


def points(design: Design, starts: Floats, *, options: Mapping[str, str]) -> Floats:
    """Give the estimates under many assignments, shape (n_assignments,)."""
    starts = np.asarray(starts, float)
    whole = assigned(design, starts[0]) if len(starts) else design
    ranked = np.sort(starts, axis=1)
    if (ranked == ranked[:1]).all():
        # The same starts in other hands: window and cohorts stay.
        found = _batch(whole, design.y[None], starts, options)
        if found is not None:
            return found

    def one(other: Design) -> float:
        if any(finding.severity == "reject" for finding in needs(other, options)):
            return float("nan")
        return point(other, options=options)

    return under_each(design, starts, one)


def outcome_points(
    design: Design, outcomes: Floats, *, options: Mapping[str, str]
) -> Floats | None:
    """Give the estimates of other outcomes; None if the design takes one at a time."""
    return _batch(design, outcomes, np.broadcast_to(design.starts, outcomes.shape[:2]), options)


def _batch(design: Design, y: Floats, starts: Floats, options: Mapping[str, str]) -> Floats | None:
    """Estimate at once, if the design and its window allow that."""
    window, of_place = _window(design, options), _places(design)
    if not _is_plain(design) or window is None:
        return None
    places = np.full(starts.shape, np.inf)
    for g, place in of_place.items():
        places[starts == g] = place
    return stacked_points(
        y,
        places,
        np.ones(len(design.units)) if design.weights is None else design.weights[:, 0],
        tuple(of_place[g] for g in window.cohorts),
        low=window.low,
        high=window.high,
        anticipation=design.anticipation,
        not_yet=options["control"] == "not_yet",
        is_corrected=options["weights"] == "corrected",
    )


def _name(event: int) -> str:
    return f"(event) {event}"


def _is_after(name: str) -> bool:
    return name.startswith("(event) ") and int(name.removeprefix("(event) ")) >= 0


def _reject(design: Design, code: str, what: Text, mend: Text) -> Finding:
    where = f"{design.name} › stacked"
    return Finding(code, "reject", what, where, mend)


def _nothing_after(design: Design) -> DesignError:
    return DesignError(
        Text("启动以后各期均与其余共线，无法识别", "no event time from the start on is identified"),
        where=f"{design.name} › stacked",
        mend=Text("缩短窗口，或补齐台账", "shorten the window, or fill the gaps"),
    )


def _places(design: Design) -> dict[int, int]:
    """Give the place of the first period at or after each start: where waves are years apart."""
    return {g: sum(p < g for p in design.periods) for g in design.cohorts}


def _window(design: Design, options: Mapping[str, str]) -> _Window | None:
    """Choose the window by what the design holds: the longest that every cohort has, if ``auto``."""
    places = _places(design)
    gap = 1 + design.anticipation
    spans = {g: (place - gap + 1, len(design.periods) - 1 - place) for g, place in places.items()}
    usable = {g: span for g, span in spans.items() if span[0] >= 1 and span[1] >= 0}
    if not usable:
        return None
    pre, post = options["pre"], options["post"]
    before = _length(pre, [one[0] for one in usable.values()], len(design.periods))
    after = _length(post, [one[1] for one in usable.values()], len(design.periods))
    kept = tuple(
        g
        for g, (n_before, n_after) in usable.items()
        if (pre == "all" or n_before >= before) and (post == "all" or n_after >= after)
    )
    if not kept:
        return None
    trimmed = tuple(g for g in design.cohorts if g not in kept)
    return _Window(-(before - 1) - gap, after, kept, trimmed)


def _length(wanted: str, held: list[int], whole: int) -> int:
    return {"auto": min(held), "all": whole}[wanted] if wanted in ("auto", "all") else int(wanted)


def _prepared(design: Design, options: Mapping[str, str]) -> tuple[Rows, _Window, _Stack]:
    rows = rows_of(design, options)
    window = _window(design, options)
    if window is None:  # refused by needs
        raise ValueError("no cohort has the window")
    return rows, window, _stack(design, rows, window, options)


def _stack(design: Design, rows: Rows, window: _Window, options: Mapping[str, str]) -> _Stack:
    start = rows.cohort
    never = np.asarray(design.is_donor)[rows.unit]
    of_place = _places(design)
    # Where each row's unit starts, as a place among the periods.
    begins = np.array([of_place.get(int(g), np.inf) if np.isfinite(g) else np.inf for g in start])
    last = len(design.periods) - 1
    parts: list[tuple[Codes, Codes, NDArray[np.bool_]]] = []
    cohorts: list[int] = []
    lonely: list[int] = []
    for g in window.cohorts:
        event = rows.period - of_place[g]
        inside = (event >= window.low) & (event <= window.high)
        treated = inside & (start == g)
        end = min(of_place[g] + window.high, last) + design.anticipation
        later = (begins > end) & np.isfinite(begins) if options["control"] == "not_yet" else False
        clean = inside & (never | later)
        if not clean.any() or not treated.any():
            lonely.append(g)
            continue
        chosen = np.flatnonzero(treated | clean)
        parts.append((chosen, event[chosen].astype(np.int64), treated[chosen]))
        cohorts.append(g)
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return _Stack(none, none, none, none.astype(bool), none.astype(float), (), tuple(lonely))
    row = np.concatenate([one[0] for one in parts])
    place = np.concatenate([np.full(len(one[0]), k) for k, one in enumerate(parts)])
    event = np.concatenate([one[1] for one in parts])
    treated = np.concatenate([one[2] for one in parts])
    weights = rows.weights[row]
    if options["weights"] == "corrected":
        weights = weights * corrective_weights(place, event, treated, weights)
    return _Stack(row, place, event, treated, weights, tuple(cohorts), tuple(lonely))


def _regress(
    rows: Rows,
    window: _Window,
    stack: _Stack,
    design: Design,
    options: Mapping[str, str],
    *,
    dynamic: bool,
) -> Regression:
    reference = -1 - design.anticipation
    kept = stack.weights > 0
    if not dynamic:  # periods under anticipation are in neither part
        kept &= ~((stack.event < 0) & (stack.event > reference))
    row, event, treated, place = (
        one[kept] for one in (stack.row, stack.event, stack.treated, stack.stack)
    )
    if dynamic:
        wanted = [e for e in np.unique(event[treated]) if e != reference]
        columns = [(treated & (event == e)).astype(float) for e in wanted]
        names = [_name(int(e)) for e in wanted]
    else:
        columns, names = [(treated & (event >= 0)).astype(float)], [_TREATED]
    if options["weights"] == "corrected" and _is_plain(design):
        levels = [as_codes(treated), as_codes(event)]
    else:
        # Two groups' means carry units' own levels along where units come and go.
        levels = [
            as_codes(place * (int(rows.unit.max()) + 1) + rows.unit[row]),
            as_codes(place * len(design.periods) + rows.period[row]),
        ]
    clusters = rows.cluster[row]
    if options["cluster_by"] == "stack":
        clusters = as_codes(place * (int(rows.cluster.max()) + 1) + clusters)
    try:
        return regress(
            rows.y[row],
            np.column_stack([rows.covariates[row], *columns]),
            names=[*rows.names, *names],
            absorb=levels,
            weights=stack.weights[kept],
            errors="cluster",
            clusters=[clusters],
            small_sample=cast(SmallSample, options["small_sample"]),
        )
    except ValueError as error:
        raise unfitted(design, error) from error


def _is_plain(design: Design) -> bool:
    """Tell whether the means of two groups are all that the corrected regression compares."""
    constant = design.weights is None or bool((design.weights == design.weights[:, :1]).all())
    return design.is_balanced and design.covariates is None and constant


def _sizes(rows: Rows, stack: _Stack) -> dict[str, tuple[float | int | str | None, ...]]:
    def count(k: int, is_treated: bool) -> int:
        chosen = (stack.stack == k) & (stack.treated == is_treated)
        return len(np.unique(rows.unit[stack.row[chosen]]))

    places = range(len(stack.cohorts))
    return {
        "cohort": stack.cohorts,
        "n_treated": tuple(count(k, True) for k in places),
        "n_control": tuple(count(k, False) for k in places),
    }
