"""From units and cohorts to checked, frozen and hashed arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cps.design.record import Design, Exclusion, Form
from cps.errors import DesignError, Finding, Text
from cps.periods import Frequency, label
from cps.provenance import sha256_json

# z(0.975) + z(0.80): the distance of a true effect from zero that a 5% test finds in 80% of samples
_DETECTABLE_STANDARD_ERRORS = 1.959963984540054 + 0.8416212335729143
_SHOWN = 5


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
) -> Design:
    """Drop what can't be compared, with reasons, and freeze the rest.

    Parameters
    ----------
    frame : polars.DataFrame, columns unit, period, outcome (float)
    cohorts : dict of unit to first treated period, None for never

    Raises
    ------
    DesignError
        If fewer than two periods, no treated or no comparison unit remains.
    """
    periods = sorted(frame["period"].unique().to_list())
    if len(periods) < 2:
        raise DesignError(
            Text("面板只有一个时期", "the panel has a single period"),
            where=name,
            mend=Text("至少需要启动前后各一期", "at least one period before and after is needed"),
        )
    left_out = list(exclusions)
    notes = list(findings)
    kept, dropped = _complete_units(frame, cohorts, periods, form=form, frequency=frequency)
    left_out += dropped
    notes += _missing_finding(dropped, cohorts)
    kept, cohort_of, more, timing = _usable_cohorts(kept, cohorts, periods, anticipation, frequency)
    left_out += more
    notes += timing
    _require_both_sides(name, kept, cohort_of, left_out, cohorts)
    y_natural = _array(frame, kept, periods)
    y = np.log(y_natural) if form == "log" else y_natural.copy()
    for array in (y, y_natural):
        array.setflags(write=False)
    cohort = tuple(cohort_of[unit] for unit in kept)
    is_donor = np.array([value is None for value in cohort])
    is_donor.setflags(write=False)
    summary = {
        "name": name,
        "outcome": outcome,
        "measure": measure,
        "form": form,
        "unit_kind": unit_kind,
        "frequency": frequency,
        "units": kept,
        "periods": periods,
        "cohort": cohort,
        "exclusions": [[one.unit, one.area, one.reason] for one in left_out],
        "anticipation": anticipation,
        "is_synthetic": is_synthetic,
        "y": hashlib.sha256(np.ascontiguousarray(y).tobytes()).hexdigest(),
    }
    return Design(
        name=name,
        outcome=outcome,
        measure=measure,
        form=form,
        unit_kind=unit_kind,
        frequency=frequency,
        units=tuple(kept),
        periods=tuple(periods),
        period_labels=tuple(label(period, frequency) for period in periods),
        y=y,
        y_natural=y_natural,
        cohort=cohort,
        is_donor=is_donor,
        exclusions=tuple(left_out),
        anticipation=anticipation,
        minimum_detectable_effect=minimum_detectable_effect(
            y, cohort, np.array(periods), anticipation
        ),
        is_synthetic=is_synthetic,
        findings=tuple(notes),
        design_hash=sha256_json(summary),
    )


def minimum_detectable_effect(
    y: NDArray[np.float64],
    cohort: Sequence[int | None],
    periods: NDArray[np.int64],
    anticipation: int = 0,
) -> float | None:
    """Compute the smallest effect found with 80% power at 5% size, from comparison units alone.

    The noise of one treated unit is the standard deviation over comparison units of post-period
    mean minus pre-period mean; treated units count as independent draws of it. No outcome of a
    treated unit enters, so the number can be known before any estimate (Bloom 1995,
    doi:10.1177/0193841X9501900504).

    Parameters
    ----------
    y : ndarray, shape (n_units, n_periods)
    cohort : length n_units, None for comparison units
    periods : ndarray of int, shape (n_periods,)

    Returns
    -------
    float or None
        On the scale of ``y``; None with fewer than three comparison units.
    """
    donors = y[[value is None for value in cohort]]
    starts = [value for value in cohort if value is not None]
    if len(donors) < 3 or not starts:
        return None
    n_cells = np.array([(periods >= start).sum() for start in starts], dtype=float)
    weights = n_cells / n_cells.sum()
    spreads = []
    for start in starts:
        before = periods < start - anticipation
        change = donors[:, periods >= start].mean(axis=1) - donors[:, before].mean(axis=1)
        spreads.append(change.std(ddof=1))
    spread = np.array(spreads)
    variance = (weights**2 * spread**2).sum() + (weights * spread**2).sum() / len(donors)
    return float(_DETECTABLE_STANDARD_ERRORS * np.sqrt(variance))


def _complete_units(
    frame: pl.DataFrame,
    cohorts: dict[str, int | None],
    periods: list[int],
    *,
    form: Form,
    frequency: Frequency,
) -> tuple[list[str], list[Exclusion]]:
    usable = pl.col("outcome").is_not_null() & pl.col("outcome").is_finite()
    if form == "log":
        usable = usable & (pl.col("outcome") > 0)
    found = frame.filter(usable.fill_null(False)).group_by("unit").agg("period")
    has = {unit: set(periods) for unit, periods in found.iter_rows()}
    lacks = {unit: [one for one in periods if one not in has.get(unit, ())] for unit in cohorts}
    word = ("为空或不为正", "missing or not positive") if form == "log" else ("为空", "missing")
    dropped = []
    for unit, gone in lacks.items():
        if gone:
            names = ", ".join(label(one, frequency) for one in gone[:_SHOWN])
            names += " …" if len(gone) > _SHOWN else ""
            why = Text(
                f"{len(periods)} 期中有 {len(gone)} 期{word[0]}（{names}）",
                f"{len(gone)} of {len(periods)} periods {word[1]} ({names})",
            )
            dropped.append(Exclusion(unit, None, "missing", why))
    return [unit for unit, gone in lacks.items() if not gone], dropped


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
    if n_treated == len(kept) and len({cohort_of[unit] for unit in kept}) < 2:
        raise DesignError(
            Text(
                "所有单位同时处理，没有对照", "all units are treated at once: no comparison is left"
            ),
            where=f"{name}: {n_treated} treated, 0 for comparison",
            mend=Text(
                "加入未处理或更晚处理的单位",
                "add units that are never treated, or treated later",
            ),
        )


def _array(frame: pl.DataFrame, units: list[str], periods: list[int]) -> NDArray[np.float64]:
    ordered = (
        frame.filter(pl.col("unit").is_in(units))
        .with_columns(pl.col("unit").cast(pl.Enum(units)))
        .sort("unit", "period")
    )
    return ordered["outcome"].to_numpy().reshape(len(units), len(periods)).astype(np.float64)
