"""Build a design from any tidy frame, one row per unit and period."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import polars as pl

from cps.design._arrays import COVARIATE
from cps.design._finish import Comparison, Missing, finish_design
from cps.design._joint import starts_too_early
from cps.design._periods import coding_of, read_periods
from cps.design._refuse import (
    require_choices,
    require_distinct,
    require_frame,
    require_whole_anticipation,
)
from cps.design._regular import block_length
from cps.design.record import Design, Exclusion, Form
from cps.errors import DesignError, Finding, Text, UsageError, unknown_choice
from cps.periods import Frequency

_OTHER = "other:"


def design_from_frame(
    frame: pl.DataFrame,
    *,
    unit: str | None,
    period: str,
    outcome: str,
    cohort: str | None = None,
    treated: str | None = None,
    name: str = "frame",
    measure: str = "",
    form: Form = "level",
    anticipation: int = 0,
    unit_kind: str = "unit",
    frequency: Frequency = "year",
    covariates: Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
    dose: str | None = None,
    denominator: str | None = None,
    ring: str | None = None,
    exposure: str | None = None,
    regime: str | None = None,
    thresholds: Sequence[float] = (),
    missing: Missing = "drop_unit",
    comparison: Comparison = "required",
    is_synthetic: bool = False,
    other_cohorts: Mapping[str, str] | None = None,
) -> Design:
    """Build a design from any tidy panel, one row per unit and period.

    Parameters
    ----------
    frame : polars.DataFrame
    unit : str or None
        Column; None takes each row as a unit of its own (repeated cross-sections), which asks for
        ``missing="keep"``.
    period, outcome : str
        Columns. ``period`` holds whole numbers counted from anywhere, dates, or the usual codings of
        ``frequency``: 2023Q1, 20231, 1990.25 or 2023年第1季度 for quarters; 2023-05, 202305,
        2023.417 or 2023年5月 for months.
    cohort, treated : str or None
        One of the two. ``cohort`` holds the first treated period of the unit, in the terms of
        ``period``: null, NaN, infinity and any period after the last mean never treated; so does
        0 where all periods are positive, the coding of R's ``did``. ``treated`` holds 0 and 1 by
        unit and period, and must stay at 1 once there.
    measure : str
        Unit of measure of the outcome (of a rate: of the rate); named after its column if empty.
    form : {"level", "log", "rate"}
        ``rate`` divides by ``denominator`` where one is given.
    covariates : sequence of str
        Numeric columns; categories must come as columns of 0 and 1.
    weights : str or None
        Positive sampling weights.
    cluster : str or None
        Group within which errors may be related; must not change within a unit.
    dose : str or None
        Intensity of treatment by unit and period.
    denominator : str or None
    ring : str or None
        True for untreated units near treated ones: they are left out of the comparison, and kept
        for the check of spill-over.
    exposure : str or None
        How far a unit is exposed to treated ones, such as 1 / distance; zero or more, fixed. Used
        by the check of that name, by no estimator.
    regime : str or None
        Accounting regime, constant within a period.
    thresholds : sequence of float
        Levels of the outcome to look for bunching at.
    missing : {"drop_unit", "keep", "keep_covariates"}
        What becomes of a unit with a gap: left out and named, or kept with the gap explicit, for
        methods that can bear it. ``keep_covariates`` keeps those that lack covariates alone, for
        a synthetic control that averages predictors over what was observed.
    comparison : {"required", "none"}
        ``none`` takes a panel in which every unit is treated at once, such as a single series;
        only methods that judge a series by its own past can be fitted to it.
    is_synthetic : bool
        True for invented data: every table and page is then marked. A column ``is_synthetic`` of
        the frame that is True anywhere says the same.
    other_cohorts : mapping of str to str, or None
        Other initiatives, and the column that holds each one's first treated period, coded as
        ``cohort``. Their hosts stay in, never as comparison, for a method that estimates all effects
        together (``joint_effects``).

    Raises
    ------
    UsageError
        If a column is missing or has two roles, or not exactly one of ``cohort`` and ``treated``
        is given.
    DesignError
        If a period can't be read, a unit has two cohorts or clusters, a treatment ends, a key occurs
        twice, the outcome is infinite or never varies, or nothing can be compared.
    """
    if (cohort is None) == (treated is None):
        raise UsageError(
            Text("cohort 与 treated 须且只须给出一个", "give cohort or treated, one of the two"),
            where="design_from_frame(cohort=…, treated=…)",
            mend=Text(
                "cohort 为首次处理时期，treated 为 0/1 标志",
                "cohort is the first treated period, treated a flag of 0 and 1",
            ),
        )
    roles = {
        "unit": unit,
        "period": period,
        "outcome": outcome,
        "cohort": cohort,
        "treated": treated,
    }
    others = {
        "weight": weights,
        "cluster": cluster,
        "dose": dose,
        "denominator": denominator,
        "exposure": exposure,
        "ring": ring,
        "regime": regime,
    }
    require_frame(frame)
    require_choices(form=form, frequency=frequency, missing=missing, comparison=comparison)
    require_whole_anticipation(anticipation)
    require_distinct(covariates)
    also = dict(other_cohorts or {})
    _require_columns(frame, {**roles, **others, **also}, covariates)
    named = [one for one in roles.values() if one is not None]
    if len(set(named)) < len(named):
        raise UsageError(
            Text("同一列被用作两种角色", "one column is given two roles"),
            where=", ".join(f"{role}={column}" for role, column in roles.items() if column),
            mend=Text("分别指定不同的列", "name different columns"),
        )
    coding = coding_of(frame[period], frequency, column=period)
    last = frame[period].max() if coding in ("whole", "joined", "fraction") else None

    def starts_in(column: str) -> pl.Series:
        end = float(last) if isinstance(last, int | float) else math.inf
        return read_periods(frame[column], coding, frequency, column=column, last=end)

    tidy = frame.select(
        _units(frame, unit),
        # Numbers that name units sort as numbers.
        (frame[unit] if unit else pl.Series(range(frame.height))).alias("order"),
        read_periods(frame[period], coding, frequency, column=period).alias("period"),
        _as_number(frame, outcome).alias("outcome"),
        *(
            _as_number(frame, column).alias(role)
            for role, column in others.items()
            if column and role in ("weight", "dose", "denominator", "exposure")
        ),
        *(_as_number(frame, column).alias(COVARIATE + column) for column in covariates),
        *(
            pl.col(column).cast(pl.String).alias(role)
            for role, column in others.items()
            if column and role in ("cluster", "regime")
        ),
        *([_as_flag(frame, ring).alias("ring")] if ring else []),
        *(
            [starts_in(cohort).alias("cohort")]
            if cohort
            else [_as_flag(frame, str(treated)).alias("treated")]
        ),
        *(starts_in(column).alias(_OTHER + other) for other, column in also.items()),
    )
    _require_keys(tidy)
    if treated:
        tidy = _with_cohort(tidy, treated, frequency)
    first_period = int(tidy["period"].min())  # type: ignore[arg-type]
    cohorts, findings = _cohorts_of(tidy, first_period)
    near = _ring(tidy, cohorts)
    starts = {other: _other_starts(tidy, other, first_period) for other in also}
    early = starts_too_early(starts, first_period, frequency)
    gone = {*near, *(one.unit for one in early)}
    return finish_design(
        tidy,
        {one: start for one, start in cohorts.items() if one not in gone},
        name=name,
        outcome=outcome,
        measure=measure or (f"{outcome}/{denominator}" if _divides(form, denominator) else outcome),
        form=form,
        unit_kind=unit_kind,
        frequency=frequency,
        anticipation=anticipation,
        exclusions=[
            Exclusion(one, None, "spillover", Text("邻近承办单位", "near a treated unit"))
            for one in near
        ]
        + early,
        is_synthetic=is_synthetic or _says_synthetic(frame),
        findings=findings,
        missing=missing,
        clusters=_constant(tidy, "cluster") if cluster else None,
        other_cohorts=starts,
        reserved=dict.fromkeys(near, "spillover"),
        regimes=_by_period(tidy) if regime else None,
        thresholds=thresholds,
        comparison=comparison,
    )


def _require_columns(
    frame: pl.DataFrame, roles: dict[str, str | None], covariates: Sequence[str]
) -> None:
    for column in (*(one for one in roles.values() if one is not None), *covariates):
        if column not in frame.columns:
            raise unknown_choice(Text("列", "column"), column, frame.columns, where="frame")


def _divides(form: Form, denominator: str | None) -> bool:
    return form == "rate" and denominator is not None


def _says_synthetic(frame: pl.DataFrame) -> bool:
    if "is_synthetic" not in frame.columns or frame["is_synthetic"].dtype != pl.Boolean:
        return False
    return bool(frame["is_synthetic"].any())


def _units(frame: pl.DataFrame, unit: str | None) -> pl.Series:
    if unit is None:
        width = len(str(frame.height))
        rows = pl.Series(range(1, frame.height + 1), dtype=pl.Int64).cast(pl.String)
        return rows.str.zfill(width).alias("unit")
    names = frame[unit]
    if names.dtype.is_float():
        # Numbers that came as floats (a column with a gap somewhere) are names without a point.
        whole = names.drop_nulls().drop_nans()
        if bool((whole == whole.round(0)).all()):
            names = names.fill_nan(None).cast(pl.Int64)
    return names.cast(pl.String).alias("unit")


def _as_number(frame: pl.DataFrame, column: str) -> pl.Series:
    series = frame[column]
    if series.dtype == pl.Boolean or series.dtype.is_numeric():
        return series.cast(pl.Float64)
    raise DesignError(
        Text("该列不是数值", f"the column holds {series.dtype}, not numbers"),
        where=f"column {column}",
        mend=Text(
            "先转换为数值；类别请转为 0/1 列", "convert it; turn categories into 0/1 columns"
        ),
    )


def _as_flag(frame: pl.DataFrame, column: str) -> pl.Series:
    series = frame[column]
    values = series.cast(pl.Float64, strict=False) if series.dtype != pl.String else series
    if series.dtype == pl.String or not set(values.drop_nulls().unique()) <= {0.0, 1.0}:
        raise DesignError(
            Text("标志列只能是 0 和 1", "a flag must be 0 or 1"),
            where=f"column {column}",
            mend=Text(
                "处理强度请用 dose，首次处理时期请用 cohort",
                "use dose for an intensity, cohort for a first treated period",
            ),
        )
    return values.fill_null(0.0) == 1.0


def _with_cohort(tidy: pl.DataFrame, column: str, frequency: Frequency) -> pl.DataFrame:
    first = pl.col("period").filter(pl.col("treated")).min().over("unit")
    tidy = tidy.with_columns(first.alias("cohort"))
    ends = tidy.filter(~pl.col("treated") & (pl.col("period") > pl.col("cohort")))
    if ends.height:
        one = ends.sort("unit", "period").row(0, named=True)
        raise DesignError(
            Text(
                f"有 {ends['unit'].n_unique()} 个单位的处理中途停止",
                f"treatment ends again in {ends['unit'].n_unique()} units",
            ),
            where=f"column {column} › unit {one['unit']}, period {one['period']}",
            mend=Text(
                "这里的方法要求处理一旦开始便持续；请只保留停止前的时期",
                "these methods take a treatment to last; keep the periods before its end",
            ),
        )
    return tidy


def _ring(tidy: pl.DataFrame, cohorts: dict[str, int | None]) -> list[str]:
    if "ring" not in tidy.columns:
        return []
    near = tidy.filter("ring")["unit"].unique().sort().to_list()
    return [unit for unit in near if cohorts[unit] is None]


def _other_starts(tidy: pl.DataFrame, other: str, first_period: int) -> dict[str, int]:
    column = tidy.select("unit", "period", "order", pl.col(_OTHER + other).alias("cohort"))
    last = int(tidy["period"].max())  # type: ignore[arg-type]
    starts, _ = _cohorts_of(column, first_period)
    return {unit: one for unit, one in starts.items() if one is not None and one <= last}


def _constant(tidy: pl.DataFrame, column: str) -> dict[str, str]:
    by_unit = tidy.group_by("unit").agg(
        pl.col(column).drop_nulls().first().alias("value"),
        pl.col(column).n_unique().alias("n"),
    )
    torn = by_unit.filter((pl.col("n") > 1) | pl.col("value").is_null()).sort("unit")
    if torn.height:
        raise DesignError(
            Text(
                f"有 {torn.height} 个单位的 {column} 为空或前后不一",
                f"{column} is empty or changes in {torn.height} units",
            ),
            where=f"unit {torn['unit'][0]}",
            mend=Text("每个单位只应属于一个组", "give each unit one group"),
        )
    return dict(by_unit.select("unit", "value").iter_rows())


def _by_period(tidy: pl.DataFrame) -> dict[int, str | None]:
    found = tidy.group_by("period").agg(
        pl.col("regime").drop_nulls().first().alias("value"),
        pl.col("regime").drop_nulls().n_unique().alias("n"),
    )
    torn = found.filter(pl.col("n") > 1).sort("period")
    if torn.height:
        raise DesignError(
            Text("同一时期有两种核算制度", "one period has two accounting regimes"),
            where=f"period {torn['period'][0]}",
            mend=Text("先统一口径", "bring them to one basis first"),
        )
    return dict(found.select("period", "value").iter_rows())


def _require_keys(tidy: pl.DataFrame) -> None:
    if tidy["period"].null_count() or tidy["unit"].null_count() or tidy.is_empty():
        raise DesignError(
            Text(
                "存在空的单位或时期，或没有数据", "a unit or period is empty, or there are no rows"
            ),
            where="frame",
            mend=Text("删除或补齐这些行", "drop or complete these rows"),
        )
    if block_length(tidy) is not None:
        return
    by_unit = tidy.group_by("unit").agg(
        pl.col("period").n_unique().alias("periods"), pl.len().alias("rows")
    )
    if (by_unit["periods"] == by_unit["rows"]).all():
        return
    # Only now by pairs: as many groups as rows would take minutes in a large panel.
    twice = tidy.group_by("unit", "period").len().filter(pl.col("len") > 1).sort("unit", "period")
    if twice.height:
        key = twice.row(0, named=True)
        raise DesignError(
            Text(
                f"有 {twice.height} 个“单位×时期”重复出现",
                f"{twice.height} pairs of unit and period occur more than once",
            ),
            where=f"unit {key['unit']}, period {key['period']} ({key['len']} rows)",
            mend=Text("先合并或删除重复行", "merge or drop the repeated rows first"),
        )


def _first_by_unit(tidy: pl.DataFrame) -> pl.DataFrame:
    """Give each unit's first cohort and order, and how many cohorts it has."""
    length = block_length(tidy)
    if length is not None:
        cohort = tidy["cohort"]
        changes = cohort.ne_missing(cohort.shift(1)).to_numpy().reshape(-1, length)
        if not changes[:, 1:].any():
            firsts = tidy.select("unit", "cohort", "order").gather_every(length)
            return firsts.with_columns(n=pl.lit(1))
    return tidy.group_by("unit", maintain_order=True).agg(
        pl.col("cohort").first(),
        pl.col("cohort").n_unique().alias("n"),
        pl.col("order").first(),
    )


def _cohorts_of(
    tidy: pl.DataFrame, first_period: int
) -> tuple[dict[str, int | None], tuple[Finding, ...]]:
    by_unit = _first_by_unit(tidy).sort("order")
    torn = by_unit.filter(pl.col("n") > 1)
    if torn.height:
        raise DesignError(
            Text(
                f"有 {torn.height} 个单位的首次处理时期前后不一",
                f"{torn.height} units change their cohort over time",
            ),
            where=f"unit {torn['unit'][0]}",
            mend=Text("每个单位只应有一个首次处理时期", "give each unit one first treated period"),
        )
    zero_is_never = first_period > 0 and bool((by_unit["cohort"] == 0).any())
    findings = (
        Finding(
            code="N-DESIGN-ZERO-COHORT",
            severity="note",
            what=Text("首次处理时期为 0 的单位按从未处理对待", "cohort 0 is read as never treated"),
            where="cohort",
            mend=Text("若本意不同，请改用空值或真实时期", "use null, or the true period, if not"),
            count=int((by_unit["cohort"] == 0).sum()),
        ),
    )
    cohorts = {
        unit: None
        if cohort is None or (zero_is_never and cohort == 0) or math.isinf(cohort)
        else int(cohort)
        for unit, cohort in by_unit.select("unit", "cohort").iter_rows()
    }
    return cohorts, findings if zero_is_never else ()
