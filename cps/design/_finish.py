"""From units and cohorts to checked, frozen and hashed arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cps.design._arrays import Arrays, arrays_of, describe_gaps
from cps.design._exposure import exposure_of
from cps.design._hash import hash_design
from cps.design._notes import detectable_of, few_cluster_findings, power_findings
from cps.design._refuse import (
    not_positive_findings,
    require_computable,
    require_finite,
    require_two_periods,
    require_variation,
)
from cps.design.record import Design, Exclusion, Form, LeftOut
from cps.errors import DesignError, Finding, Text
from cps.periods import Frequency, label

_SHOWN = 5

Missing = Literal["drop_unit", "keep", "keep_covariates"]
Comparison = Literal["required", "none"]


def finish_design(
    frame: pl.DataFrame,
    cohorts: dict[str, int | None],
    *,
    name: str,
    outcome: str,
    measure: str,
    form: Form,
    unit_kind: str,
    frequency: Frequency,
    anticipation: int,
    exclusions: Sequence[Exclusion],
    is_synthetic: bool,
    findings: Sequence[Finding],
    missing: Missing = "drop_unit",
    clusters: Mapping[str, str] | None = None,
    other_cohorts: Mapping[str, Mapping[str, int | None]] | None = None,
    reserved: Mapping[str, str] | None = None,
    regimes: Mapping[int, str | None] | None = None,
    thresholds: Sequence[float] = (),
    comparison: Comparison = "required",
) -> Design:
    """Drop what can't be compared, with reasons, and freeze the rest.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns unit, period, outcome (float); any of weight, dose, denominator, ``covariate:…``.
    cohorts : dict of unit to first treated period, None for never
    missing : {"drop_unit", "keep", "keep_covariates"}
        Leave out a unit with a gap, or keep it with the gap explicit, in covariates alone or in all.
    clusters : mapping of unit to its group, or None
    other_cohorts : mapping of other initiative to unit to its start
        Of units in ``cohorts`` that host others too, for a joint model.
    reserved : mapping of unit to reason
        Units of ``frame`` outside every comparison whose series checks may look at.
    regimes : mapping of period to accounting regime, or None
    comparison : {"required", "none"}
        ``none`` lets units pass that are all treated at once, for a series judged by its own past.

    Raises
    ------
    DesignError
        If fewer than two periods, no treated or no comparison unit remains, or the outcome is
        infinite somewhere or the same everywhere.
    """
    require_two_periods(frame, name=name)
    require_finite(frame, name=name, outcome=outcome, frequency=frequency)
    require_computable(frame, name=name, outcome=outcome)
    arrays = arrays_of(frame, list(cohorts), form=form, where=name)
    periods = arrays.periods
    left_out = list(exclusions)
    notes = list(findings)
    dropped = _drop_incomplete(arrays, form=form, frequency=frequency, missing=missing)
    left_out += dropped
    notes += _missing_finding(dropped, cohorts)
    notes += _skipped_finding(periods, name=name, frequency=frequency)
    notes += not_positive_findings(frame, dropped, form=form, frequency=frequency)
    kept, cohort_of, more, timing = _usable_cohorts(
        arrays.units, cohorts, periods, anticipation, frequency
    )
    left_out += more
    notes += timing
    if more:
        gone = {one.unit for one in more}
        arrays.keep(np.array([unit not in gone for unit in arrays.units]))
    _require_both_sides(name, kept, cohort_of, left_out, cohorts, comparison=comparison)
    require_variation(arrays, name=name, outcome=outcome)
    cohort = tuple(cohort_of[unit] for unit in kept)
    others = {
        other: tuple(starts.get(unit) for unit in kept)
        for other, starts in (other_cohorts or {}).items()
        if any(starts.get(unit) is not None for unit in kept)
    }
    hosts_other = np.zeros(len(kept), dtype=bool)
    for starts in others.values():
        hosts_other |= np.array([start is not None for start in starts])
    is_donor = np.array([value is None for value in cohort]) & ~hosts_other
    _freeze(arrays, is_donor)
    cluster = None if clusters is None else tuple(clusters[unit] for unit in kept)
    regime_of = () if regimes is None else tuple(regimes.get(period) for period in periods)
    always = {one.unit: one.reason for one in more if one.unit and one.reason == "always_treated"}
    reserve = _reserve(frame, {**(reserved or {}), **always}, clusters or {}, form=form)
    design = Design(
        name=name,
        outcome=outcome,
        measure=measure,
        form=form,
        unit_kind=unit_kind,
        frequency=frequency,
        units=tuple(kept),
        periods=tuple(periods),
        period_labels=tuple(label(period, frequency) for period in periods),
        y=arrays.y,
        y_natural=arrays.y_natural,
        cohort=cohort,
        is_donor=is_donor,
        exclusions=tuple(left_out),
        anticipation=anticipation,
        minimum_detectable_effect=None,
        is_synthetic=is_synthetic,
        findings=(),
        design_hash="",
        covariates=arrays.covariates,
        covariate_names=arrays.covariate_names,
        weights=arrays.weights,
        cluster=cluster,
        dose=arrays.dose,
        denominator=arrays.denominator,
        other_cohorts=others,
        exposure=exposure_of(frame, kept),
        left_out=reserve,
        regimes=regime_of,
        thresholds=tuple(thresholds),
    )
    detectable = detectable_of(design)
    notes += [*power_findings(design, detectable), *few_cluster_findings(design)]
    design = dataclasses.replace(
        design, minimum_detectable_effect=detectable.effect, findings=tuple(notes)
    )
    return dataclasses.replace(design, design_hash=hash_design(design))


def _drop_incomplete(
    arrays: Arrays, *, form: Form, frequency: Frequency, missing: Missing
) -> list[Exclusion]:
    if missing == "keep":
        # A covariate, weight or dose that is missing takes its cell out; a unit goes if nothing is left.
        usable = ~np.isnan(arrays.y)
        for array in (arrays.weights, arrays.dose, arrays.denominator):
            if array is not None:
                usable &= ~np.isnan(array)
        if arrays.covariates is not None:
            usable &= ~np.isnan(arrays.covariates).any(axis=0)
        if not usable.all():
            arrays.y = np.where(usable, arrays.y, np.nan)
        complete = np.asarray(usable.any(axis=1))
    else:
        complete = arrays.is_complete(with_covariates=missing == "drop_unit")
    dropped = [
        Exclusion(
            arrays.units[row],
            None,
            "missing",
            describe_gaps(arrays, int(row), form=form, frequency=frequency),
        )
        for row in np.flatnonzero(~complete)
    ]
    arrays.keep(complete)
    return dropped


def _freeze(arrays: Arrays, is_donor: NDArray[np.bool_]) -> None:
    for array in (
        arrays.y,
        arrays.y_natural,
        arrays.covariates,
        arrays.weights,
        arrays.dose,
        arrays.denominator,
        is_donor,
    ):
        if array is not None:
            array.setflags(write=False)


def _reserve(
    frame: pl.DataFrame, reserved: Mapping[str, str], clusters: Mapping[str, str], *, form: Form
) -> tuple[LeftOut, ...]:
    if not reserved:
        return ()
    arrays = arrays_of(
        frame.select(one for one in frame.columns if one != "dose"),
        list(reserved),
        form=form,
        where="left out",
    )
    complete = np.asarray(~np.isnan(arrays.y).any(axis=1))
    for array in (arrays.y, arrays.covariates, arrays.weights):
        if array is not None:
            array.setflags(write=False)

    def whole(array: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        return None if array is None or np.isnan(array).any() else array

    return tuple(
        LeftOut(
            unit,
            reserved[unit],
            arrays.y[row],
            whole(None if arrays.covariates is None else arrays.covariates[:, row]),
            whole(None if arrays.weights is None else arrays.weights[row]),
            clusters.get(unit),
        )
        for row, unit in enumerate(arrays.units)
        if complete[row]
    )


def _missing_finding(dropped: list[Exclusion], cohorts: dict[str, int | None]) -> list[Finding]:
    if not dropped:
        return []
    n_hosts = sum(cohorts[one.unit] is not None for one in dropped if one.unit)
    names = ", ".join(str(one.unit) for one in dropped[:_SHOWN])
    return [
        Finding(
            code="W-DESIGN-MISSING",
            severity="warn",
            what=Text(
                f"{len(dropped)} 个单位数据不全，未纳入（其中承办方 {n_hosts} 个）",
                f"{len(dropped)} units with incomplete data are left out ({n_hosts} of them treated)",
            ),
            where=names + (" …" if len(dropped) > _SHOWN else ""),
            mend=Text("补齐缺失的期数", "supply the missing periods"),
            count=len(dropped),
        )
    ]


def _skipped_finding(periods: list[int], *, name: str, frequency: Frequency) -> list[Finding]:
    """Say that periods are missing for every unit: neighbours are then compared across the hole.

    A panel of every second or third period has none missing.
    """
    steps = np.diff(periods).tolist()
    step = min(steps, default=1)
    holes = [(one, size) for one, size in zip(periods, steps, strict=False) if size > step]
    if not holes:
        return []
    n_skipped = sum((size - 1) // step for _, size in holes)
    shown = ", ".join(label(before + step, frequency) for before, _ in holes[:_SHOWN])
    return [
        Finding(
            code="W-DESIGN-PERIODS-SKIPPED",
            severity="warn",
            what=Text(
                f"{n_skipped} 个时期没有任何单位的数据，前后两期按相邻处理",
                f"{n_skipped} periods have no data of any unit; those on either side of them are "
                "taken as neighbours",
            ),
            where=f"{name}: {shown}" + (" …" if n_skipped > len(holes[:_SHOWN]) else ""),
            mend=Text("补齐缺失的时期", "supply the missing periods"),
            count=n_skipped,
        )
    ]


def _usable_cohorts(
    units: list[str],
    cohorts: dict[str, int | None],
    periods: list[int],
    anticipation: int,
    frequency: Frequency,
) -> tuple[list[str], dict[str, int | None], list[Exclusion], list[Finding]]:
    kept: list[str] = []
    cohort_of: dict[str, int | None] = {}
    left_out: list[Exclusion] = []
    later: list[str] = []
    first, last = label(periods[0], frequency), label(periods[-1], frequency)
    for unit in units:
        cohort = cohorts[unit]
        if cohort is not None and cohort - anticipation <= periods[0]:
            text = Text(
                f"{first} 或更早已启动，没有启动前数据", f"treated by {first}: no period before"
            )
            left_out.append(Exclusion(unit, None, "always_treated", text))
            continue
        if cohort is not None and cohort > periods[-1]:
            later.append(unit)
            cohort = None
        kept.append(unit)
        cohort_of[unit] = cohort
    findings: list[Finding] = []
    if left_out:
        findings.append(
            Finding(
                code="W-DESIGN-ALWAYS-TREATED",
                severity="warn",
                what=Text(
                    f"{len(left_out)} 个单位在 {first} 或更早已启动，无法比较，未纳入",
                    f"{len(left_out)} units were treated by {first} and can't be compared",
                ),
                where=", ".join(str(one.unit) for one in left_out[:_SHOWN]),
                mend=Text("补充更早年份的台账", "add ledgers of earlier periods"),
                count=len(left_out),
            )
        )
    if later:
        findings.append(
            Finding(
                code="N-DESIGN-LATER",
                severity="note",
                what=Text(
                    f"{len(later)} 个单位在 {last} 之后才启动，本面板内按未处理对待",
                    f"{len(later)} units start after {last}; untreated within this panel",
                ),
                where=", ".join(later[:_SHOWN]),
                mend=Text("补充更晚的数据后再评估", "evaluate them when later data are in"),
                count=len(later),
            )
        )
    return kept, cohort_of, left_out, findings


def _require_both_sides(
    name: str,
    kept: list[str],
    cohort_of: dict[str, int | None],
    left_out: list[Exclusion],
    cohorts: dict[str, int | None],
    *,
    comparison: Comparison,
) -> None:
    n_treated = sum(cohort_of[unit] is not None for unit in kept)
    reasons = sorted({one.reason for one in left_out})
    if n_treated == 0:
        treated = [one for one in left_out if one.unit and cohorts.get(one.unit) is not None]
        if not treated:
            raise DesignError(
                Text(
                    "没有单位在面板所含时期内启动", "no unit starts within the periods of the panel"
                ),
                where=name,
                mend=Text(
                    "核对启动时间，或补充更晚的台账", "check the starts, or add later ledgers"
                ),
            )
        shown = treated[:_SHOWN]
        raise DesignError(
            Text(
                "没有可用于估计的承办单位："
                + "；".join(f"{one.unit} {one.explanation.zh}" for one in shown),
                "no treated unit is left to estimate from: "
                + "; ".join(f"{one.unit}, {one.explanation.en}" for one in shown),
            ),
            where=f"{name}: {len(left_out)} left out ({', '.join(reasons) or 'none'})",
            mend=Text(
                "补齐上列时期的台账；至少一个承办单位需要启动前后的完整数据",
                "supply the ledgers of those periods; at least one host needs all periods, before "
                "and after its start",
            ),
        )
    if comparison == "none":
        return
    if n_treated == len(kept) and len({cohort_of[unit] for unit in kept}) < 2:
        raise DesignError(
            Text(
                "所有单位同时处理，没有对照", "all units are treated at once: no comparison is left"
            ),
            where=f"{name}: {n_treated} treated, 0 for comparison",
            mend=Text(
                "加入未处理或更晚处理的单位；若只有单一序列，设 comparison=none，"
                "仅可用中断时间序列（无法排除同期其他变化）",
                "add units that are never treated, or treated later; for a single series, "
                "comparison='none' allows an interrupted time series, which can't tell the effect "
                "from whatever else happened then",
            ),
        )
