"""Read what synthetic control is to match: averages of named series over windows of periods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.design.record import Design
from cps.errors import Finding, Text, UsageError, unknown_choice
from cps.estimators._synth_control import Predictors
from cps.estimators._synth_gaps import Calendar

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Predictor:
    """The mean of one series over some periods."""

    name: str
    periods: Booleans  # (n_periods,)


def read_predictors(design: Design, text: str, *, where: str) -> tuple[Predictor, ...]:
    """Read ``name:window; name:window``; a window is ``1975``, ``1980-1988`` or several by comma.

    Names are covariates' or the outcome's. Windows are labels of periods, ends included; where
    labels hold a hyphen themselves, two dots part the ends: ``2012-Q1..2013-Q4``.

    Raises
    ------
    UsageError
        If a name or period is unknown; lists what there is.
    """
    found = []
    names = [design.outcome, *design.covariate_names]
    for part in (one.strip() for one in text.split(";")):
        if not part:
            continue
        name, _, window = part.rpartition(":")
        if not name:
            raise UsageError(
                Text(f"“{part}”没有写明时期", f"{part!r} names no periods"),
                where=where,
                mend=Text("写成 名称:起-止，例如 income_yuan:2015-2018", "write name:first-last"),
            )
        if name.strip() not in names:
            raise unknown_choice(Text("变量", "variable"), name.strip(), names, where=where)
        found.append(Predictor(name.strip(), read_window(design, window, where=where)))
    return tuple(found)


def read_window(design: Design, text: str, *, where: str) -> Booleans:
    """Read periods, shape (n_periods,): ``1975``, ``1980-1988``, several parted by commas."""
    chosen = np.zeros(len(design.periods), dtype=bool)
    for part in (one.strip() for one in text.split(",")):
        first, last = _ends(design, part, where)
        chosen[first : last + 1] = True
    return chosen


def _ends(design: Design, part: str, where: str) -> tuple[int, int]:
    labels = {label: i for i, label in enumerate(design.period_labels)}
    labels |= {
        str(period): i for i, period in enumerate(design.periods) if str(period) not in labels
    }
    if part in labels:
        return labels[part], labels[part]
    for mark in ("..", "-"):
        for place in (i for i in range(len(part)) if part.startswith(mark, i)):
            first, last = part[:place].strip(), part[place + len(mark) :].strip()
            if first in labels and last in labels and labels[first] <= labels[last]:
                return labels[first], labels[last]
    raise unknown_choice(Text("时期", "period or window"), part, design.period_labels, where=where)


def observed_mean(values: Floats) -> Floats:
    """Average over the last axis what is not NaN, as R ``Synth`` and ``augsynth`` do.

    NaN where nothing is.
    """
    is_there = ~np.isnan(values)
    count = is_there.sum(axis=-1)
    total = np.where(is_there, values, 0.0).sum(axis=-1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def default_predictors(design: Design, pre: Booleans) -> tuple[Predictor, ...]:
    """Every covariate's mean before the start; the outcome first, halfway and last before it."""
    places = np.flatnonzero(pre)
    points = []
    for place in dict.fromkeys(
        int(one) for one in (places[0], places[len(places) // 2], places[-1])
    ):
        one = np.zeros(len(pre), dtype=bool)
        one[place] = True
        points.append(Predictor(design.outcome, one))
    return (*(Predictor(name, pre) for name in design.covariate_names), *points)


def predictor_values(design: Design, y: Floats, predictors: tuple[Predictor, ...]) -> Floats:
    """Average what is observed, and divide by the standard deviation over units: (n_units, k)."""
    columns = []
    for one in predictors:
        place = None if one.name == design.outcome else design.covariate_names.index(one.name)
        series = y if place is None or design.covariates is None else design.covariates[place]
        columns.append(observed_mean(series[:, one.periods]))
    values = np.array(columns).T
    spread = values.std(axis=0, ddof=1)
    return np.asarray(values / np.where(spread > 0, spread, 1.0))


def match_predictors(
    design: Design, options: Mapping[str, str], calendar: Calendar
) -> list[Predictors] | None:
    """Read what is matched, cohort by cohort; None where whole paths are."""
    if options["fit"] == "outcomes":
        return None
    return [
        Predictors(
            predictor_values(design, design.y, final),
            predictor_values(design, design.y, first),
            followed,
        )
        for final, first, followed in (_windows(design, options, pre) for pre in calendar.is_pre)
    ]


def _windows(
    design: Design, options: Mapping[str, str], pre: Booleans
) -> tuple[tuple[Predictor, ...], tuple[Predictor, ...], Booleans]:
    """Give what one cohort's final weights match, what ``v`` is found with, and what it follows."""
    places = np.flatnonzero(pre)
    early, late = np.zeros_like(pre), np.zeros_like(pre)
    early[places[: len(places) // 2]] = late[places[len(places) // 2 :]] = True
    is_split = options["v"] == "cross_validation"
    final = read_predictors(design, options["predictors"], where="predictors")
    first = read_predictors(design, options["training"], where="training")
    if is_split and len(final) != len(first):
        raise UsageError(
            Text(
                f"predictors 有 {len(final)} 项，training 有 {len(first)} 项，应逐项对应",
                f"predictors has {len(final)} parts and training {len(first)}; they must match",
            ),
            where="synthetic_control › v=cross_validation",
            mend=Text(
                "两者都写、逐项对应，或都留空",
                "write both, part by part, or leave both empty",
            ),
        )
    final = final or default_predictors(design, late if is_split else pre)
    first = (first or default_predictors(design, early)) if is_split else final
    window = options["followed"]
    followed = read_window(design, window, where="followed") if window else None
    return final, first, followed if followed is not None else (late if is_split else pre)


def balanced_covariates(design: Design, calendar: Calendar) -> Floats | None:
    """Average covariates before each cohort's start: shape (n_cohorts, n_units, k)."""
    if design.covariates is None:
        return None
    return np.array([observed_mean(design.covariates[:, :, pre]).T for pre in calendar.is_pre])


def unobserved_predictors(
    design: Design, options: Mapping[str, str], calendar: Calendar
) -> list[Finding]:
    """Reject averages over periods in which a unit has nothing observed; name unit and window."""
    if design.covariates is None or not np.isnan(design.covariates).any():
        return []
    wanted: dict[tuple[str, bytes], Predictor] = {}
    for pre in calendar.is_pre:
        if options["fit"] == "outcomes":
            listed = tuple(Predictor(name, pre) for name in design.covariate_names)
        else:
            final, first, _ = _windows(design, options, pre)
            listed = (*final, *first)
        wanted |= {(one.name, one.periods.tobytes()): one for one in listed}
    takes_part = np.array([one is not None for one in design.cohort]) | design.is_donor
    empty, lost = [], np.zeros(len(design.units), dtype=bool)
    for one in wanted.values():
        if one.name == design.outcome:
            continue
        series = design.covariates[design.covariate_names.index(one.name)]
        nothing = np.isnan(series[:, one.periods]).all(axis=1) & takes_part
        lost |= nothing
        named = window_name(design, one)
        empty += [f"{design.units[i]}, {named}" for i in np.flatnonzero(nothing)]
    if not empty:
        return []
    more_zh, more_en = ("", "") if len(empty) <= 5 else (" 等", " and others")
    return [
        Finding(
            "E-EST-COVARIATE-EMPTY",
            "reject",
            Text(
                f"有 {lost.sum()} 个单位的协变量在所取时期内一个值也没有，求不出平均："
                f"{'；'.join(empty[:5])}{more_zh}",
                f"{lost.sum()} units have no value at all of a covariate in the periods it is "
                f"averaged over: {'; '.join(empty[:5])}{more_en}",
            ),
            f"{design.name} › covariates",
            Text(
                "用 predictors 把时期放宽到有观测的年份，或去掉该协变量，或剔除这些单位",
                "widen the window (predictors=…) to periods that were observed, leave the covariate "
                "out, or leave these units out",
            )
            if options["fit"] == "covariates"
            else Text(
                "补充启动前的观测，或去掉该协变量，或剔除这些单位",
                "add what was observed before the start, leave the covariate out, or leave these "
                "units out",
            ),
            count=int(lost.sum()),
        )
    ]


def window_name(design: Design, one: Predictor) -> str:
    """Name a predictor with its window: ``beer:1984-1988``."""
    labels, places = design.period_labels, np.flatnonzero(one.periods)
    return f"{one.name}:{labels[places[0]]}" + (f"-{labels[places[-1]]}" if len(places) > 1 else "")


def predictor_names(
    design: Design, options: Mapping[str, str], calendar: Calendar
) -> tuple[str, ...]:
    """Name what is matched, windows included; nothing where whole paths are."""
    if options["fit"] == "outcomes":
        return ()
    listed = read_predictors(design, options["predictors"], where="predictors")
    listed = listed or default_predictors(design, calendar.is_pre[0])
    return tuple(window_name(design, one) for one in listed)


def refuse_matching(
    design: Design, options: Mapping[str, str], calendar: Calendar
) -> list[Finding]:
    """Reject what can't go with matching on predictors."""
    if options["augment"] != "ridge":
        return _late_windows(design, options, calendar)
    return [
        _clash(
            design,
            "fit=covariates › augment=ridge",
            Text(
                "岭增强以整条启动前路径为准，不能与预测变量匹配合用",
                "the ridge augmentation balances whole paths; it does not go with matching on "
                "predictors",
            ),
            Text(
                "改用 fit=outcomes，协变量会一并平衡",
                "use fit=outcomes; covariates are balanced beside outcomes",
            ),
        )
    ]


def _late_windows(design: Design, options: Mapping[str, str], calendar: Calendar) -> list[Finding]:
    """Reject windows that reach beyond the earliest start: they would match the effect itself."""
    pre = calendar.is_pre.all(axis=0)
    listed = [
        one.periods
        for name in ("predictors", "training")
        for one in read_predictors(design, options[name], where=name)
    ]
    if options["followed"]:
        listed.append(read_window(design, options["followed"], where="followed"))
    if not any((window & ~pre).any() for window in listed):
        return []
    return [
        _clash(
            design,
            "predictors, training, followed",
            Text(
                "匹配所用的时期延伸到了启动以后（或预期效应期内）",
                "periods to match on reach beyond the start, or into anticipation",
            ),
            Text("只用启动前的时期", "use periods before the start only"),
        )
    ]


def _clash(design: Design, where: str, what: Text, mend: Text) -> Finding:
    return Finding("E-EST-OPTIONS", "reject", what, f"{design.name} › {where}", mend)
