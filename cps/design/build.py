"""Build a design from a panel and an initiative, or from any tidy frame."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence

import polars as pl

from cps.design._finish import finish_design
from cps.design.record import Design, Exclusion, Form, Initiative
from cps.errors import DesignError, Finding, InitiativeError, Text, UsageError, unknown_choice
from cps.panel.record import OUTCOME_MEASURES, Panel
from cps.periods import PERIODS_PER_YEAR, Frequency, ordinal


def make_design(
    panel: Panel,
    initiative: Initiative,
    *,
    outcome: str = "income_yuan",
    form: Form | None = None,
    others: Sequence[Initiative] = (),
) -> Design:
    """Set one initiative's hosts against units that never hosted any initiative.

    Hosts of more than one initiative are left out, and said so: without a joint model their
    effect can't be attributed. Income is compared in logarithms unless ``form`` says otherwise,
    since village incomes grow and vary in proportion.

    Parameters
    ----------
    panel : Panel
    initiative : Initiative
    outcome : str
        Outcome column of the panel, ``income_yuan`` or ``jobs_persons``.
    form : {"level", "log"} or None
        Estimation scale; None takes ``log`` for money and ``level`` for the rest.
    others : sequence of Initiative
        The other initiatives of the same place; their hosts can't serve as comparison.

    Raises
    ------
    UsageError
        If the panel has no such outcome.
    InitiativeError
        If the initiative's frequency or unit kind is not the panel's.
    DesignError
        If no host or no comparison unit remains; names what is missing.
    """
    _require_outcome(panel, outcome)
    _require_same_kind(panel, initiative)
    measure = OUTCOME_MEASURES.get(outcome, outcome)
    chosen: Form = form or ("log" if measure == "yuan" else "level")
    units = panel.frame.select("unit", "area").unique(maintain_order=True)
    areas = dict(zip(units["unit"].to_list(), units["area"].to_list(), strict=True))
    hosts, exclusions, findings = _clean_hosts(panel, initiative, others, areas)
    donors, left_out = _donors(initiative, others, areas)
    chosen_units = [*hosts, *donors]
    frame = panel.frame.filter(pl.col("unit").is_in(chosen_units)).select(
        "unit", "period", pl.col(outcome).cast(pl.Float64).alias("outcome")
    )
    cohorts = {unit: hosts.get(unit) for unit in chosen_units}
    return finish_design(
        frame,
        cohorts,
        name=initiative.id,
        outcome=outcome,
        measure=measure,
        form=chosen,
        unit_kind=panel.unit_kind,
        frequency=panel.frequency,
        anticipation=initiative.anticipation,
        exclusions=(*exclusions, *left_out),
        is_synthetic=panel.is_synthetic or initiative.is_synthetic,
        findings=(*findings, *_regime_break(panel)),
    )


def pool_initiatives(initiatives: Sequence[Initiative]) -> Initiative:
    """Take all initiatives as one: a unit is treated from the first start of any of them."""
    first: dict[str, datetime.date] = {}
    for treated in (host for initiative in initiatives for host in initiative.treated):
        first[treated.unit] = min(treated.start, first.get(treated.unit, treated.start))
    model = initiatives[0]
    hosts = {unit: start for unit, start in sorted(first.items())}
    by_unit = {host.unit: host for item in initiatives for host in item.treated}
    exclusions: dict[tuple[str | None, str | None], Exclusion] = {}
    for exclusion in (one for initiative in initiatives for one in initiative.exclusions):
        exclusions.setdefault((exclusion.unit, exclusion.area), exclusion)
    areas = sorted({area for initiative in initiatives for area in initiative.comparison_areas})
    return Initiative(
        id="all_initiatives",
        name=Text("全部项目合计", "All initiatives together"),
        description=Text(
            "把全部项目作为一个整体，自首个项目启动之日起视为承办村。",
            "All initiatives as one; a village counts as a host from its first start.",
        ),
        format="all",
        provenance=model.provenance,
        stands_for=(),
        is_synthetic=any(initiative.is_synthetic for initiative in initiatives),
        unit_kind=model.unit_kind,
        frequency=model.frequency,
        outcomes=model.outcomes,
        treated=tuple(
            type(by_unit[unit])(unit=unit, start=start, cost_yuan={})
            for unit, start in hosts.items()
        ),
        comparison_areas=()
        if any(not initiative.comparison_areas for initiative in initiatives)
        else tuple(areas),
        exclusions=tuple(
            exclusion for exclusion in exclusions.values() if exclusion.unit not in hosts
        ),
        anticipation=max(initiative.anticipation for initiative in initiatives),
        assumptions=(),
        source_sha256="",
    )


def design_from_frame(
    frame: pl.DataFrame,
    *,
    unit: str,
    period: str,
    outcome: str,
    cohort: str,
    name: str = "frame",
    measure: str = "",
    form: Form = "level",
    anticipation: int = 0,
    unit_kind: str = "unit",
    frequency: Frequency = "year",
) -> Design:
    """Build a design from any tidy panel, one row per unit and period.

    Parameters
    ----------
    frame : polars.DataFrame
    unit, period, outcome, cohort : str
        Columns. ``period`` holds integers or dates; ``cohort`` the first treated period of the
        unit, in the same terms. Null, NaN and infinity mean never treated; so does 0 where all
        periods are positive, the coding of R's ``did``.
    measure : str
        Unit of measure of the outcome; its column's name if empty.
    form : {"level", "log"}

    Raises
    ------
    UsageError
        If a column is missing.
    DesignError
        If a unit has two cohorts or a key occurs twice, or if nothing can be compared.
    """
    for column in (unit, period, outcome, cohort):
        if column not in frame.columns:
            raise unknown_choice(Text("列", "column"), column, frame.columns, where="frame")
    if len({unit, period, outcome, cohort}) < 4:
        raise UsageError(
            Text("同一列被用作两种角色", "one column is given two roles"),
            where=f"unit={unit}, period={period}, outcome={outcome}, cohort={cohort}",
            mend=Text("分别指定四个不同的列", "name four different columns"),
        )
    tidy = frame.select(
        pl.col(unit).alias("unit"),
        _as_ordinal(frame, period, frequency).alias("period"),
        pl.col(outcome).cast(pl.Float64).alias("outcome"),
        _as_ordinal(frame, cohort, frequency).alias("cohort"),
    ).sort("unit", "period")
    tidy = tidy.with_columns(pl.col("unit").cast(pl.String))
    _require_keys(tidy)
    first_period = int(tidy["period"].min())  # type: ignore[arg-type]
    cohorts, findings = _cohorts_of(tidy, first_period)
    return finish_design(
        tidy.select("unit", "period", "outcome"),
        cohorts,
        name=name,
        outcome=outcome,
        measure=measure or outcome,
        form=form,
        unit_kind=unit_kind,
        frequency=frequency,
        anticipation=anticipation,
        exclusions=(),
        is_synthetic=False,
        findings=findings,
    )


def _require_outcome(panel: Panel, outcome: str) -> None:
    known = [name for name in OUTCOME_MEASURES if name in panel.frame.columns]
    if outcome not in panel.frame.columns or outcome in ("unit", "area", "period"):
        raise unknown_choice(Text("结果变量", "outcome"), outcome, known, where="panel")


def _require_same_kind(panel: Panel, initiative: Initiative) -> None:
    for what, ours, theirs in (
        (Text("频率", "frequency"), panel.frequency, initiative.frequency),
        (Text("单位类型", "unit kind"), panel.unit_kind, initiative.unit_kind),
    ):
        if ours != theirs:
            raise InitiativeError(
                Text(
                    f"项目的{what.zh}是 {theirs}，面板是 {ours}",
                    f"the initiative's {what.en} is {theirs}, the panel's is {ours}",
                ),
                where=f"{initiative.id}.toml",
                mend=Text("改用同一种面板", "build the panel in the initiative's terms"),
            )


def _clean_hosts(
    panel: Panel,
    initiative: Initiative,
    others: Sequence[Initiative],
    areas: dict[str, str | None],
) -> tuple[dict[str, int], list[Exclusion], list[Finding]]:
    hosts: dict[str, int] = {}
    exclusions: list[Exclusion] = []
    findings: list[Finding] = []
    for treated in initiative.treated:
        also = [
            (other, host)
            for other in others
            if other.id != initiative.id
            for host in other.treated
            if host.unit == treated.unit
        ]
        if treated.unit not in areas:
            explanation = Text("台账中没有该村数据", "the ledgers hold no data for it")
            exclusions.append(Exclusion(treated.unit, None, "not_in_panel", explanation))
            findings.append(_left_out(treated.unit, explanation, "W-DESIGN-HOST-NOT-IN-PANEL"))
        elif also:
            explanation = Text(
                "同时承办"
                + "、".join(f"{o.name.zh}（{h.start:%Y-%m}起）" for o, h in also)
                + "，单独效应无法分离",
                "also hosts "
                + ", ".join(f"{o.name.en} (from {h.start:%Y-%m})" for o, h in also)
                + "; the two effects can't be told apart",
            )
            exclusions.append(Exclusion(treated.unit, None, "overlap", explanation))
            findings.append(_left_out(treated.unit, explanation, "W-DESIGN-OVERLAP"))
        else:
            hosts[treated.unit] = ordinal(treated.start, panel.frequency)
    if not hosts:
        reasons = "; ".join(f"{one.unit}: {one.explanation.en}" for one in exclusions)
        raise DesignError(
            Text(
                "没有可用于估计的承办村："
                + "；".join(f"{one.unit}：{one.explanation.zh}" for one in exclusions),
                f"no host is left to estimate from ({reasons})",
            ),
            where=f"{initiative.id} › treated",
            mend=Text(
                "补齐承办村台账，或把重叠的项目合并为一个项目评估",
                "add the hosts' ledgers, or evaluate the overlapping initiatives as one",
            ),
        )
    return hosts, exclusions, findings


def _left_out(unit: str, explanation: Text, code: str) -> Finding:
    return Finding(
        code=code,
        severity="warn",
        what=Text(f"承办村未纳入估计：{explanation.zh}", f"host left out: {explanation.en}"),
        where=unit,
        mend=Text(
            "补齐数据，或采用联合模型后再纳入",
            "supply the data, or use a joint model, to take it in",
        ),
    )


def _donors(
    initiative: Initiative, others: Sequence[Initiative], areas: dict[str, str | None]
) -> tuple[list[str], list[Exclusion]]:
    hosts = {treated.unit for treated in initiative.treated}
    elsewhere = {
        host.unit: (other, host.start)
        for other in others
        if other.id != initiative.id
        for host in other.treated
    }
    by_unit = {one.unit: one for one in initiative.exclusions if one.unit}
    by_area = {one.area: one for one in initiative.exclusions if one.area}
    donors: list[str] = []
    left_out: list[Exclusion] = []
    for unit, area in areas.items():
        if unit in hosts:
            continue
        if unit in by_unit:
            left_out.append(by_unit[unit])
        elif area in by_area:
            stated = by_area[area]
            left_out.append(Exclusion(unit, area, stated.reason, stated.explanation))
        elif initiative.comparison_areas and area not in initiative.comparison_areas:
            text = Text("不在约定的对照范围", "outside the areas agreed for comparison")
            left_out.append(Exclusion(unit, area, "not_listed", text))
        elif unit in elsewhere:
            other, start = elsewhere[unit]
            text = Text(
                f"自 {start:%Y-%m} 起承办{other.name.zh}",
                f"hosts {other.name.en} from {start:%Y-%m}",
            )
            left_out.append(Exclusion(unit, None, "overlap", text))
        else:
            donors.append(unit)
    if not donors:
        raise DesignError(
            Text("没有剩下任何对照村", "no comparison unit is left"),
            where=f"{initiative.id} › comparison ({len(left_out)} left out)",
            mend=Text(
                "放宽对照范围，或补充外镇（街道）未开展项目的村的台账",
                "widen the comparison, or add ledgers of units that host no initiative",
            ),
        )
    return donors, left_out


def _regime_break(panel: Panel) -> list[Finding]:
    regimes = panel.frame.select("period_label", "regime").unique().sort("period_label")
    names = regimes["regime"].drop_nulls().unique().sort().to_list()
    if len(names) < 2:
        return []
    first = str(regimes.filter(pl.col("regime") == names[-1])["period_label"].min())
    return [
        Finding(
            code="W-DESIGN-REGIME-BREAK",
            severity="warn",
            what=Text(
                f"{first} 起执行新的村集体会计制度，口径变化若对承办村与对照村不同，将影响估计",
                f"a new accounting system applies from {first}; if it moved hosts and comparison "
                "units differently, the estimate is affected",
            ),
            where=f"period {first}",
            mend=Text(
                "对照截至变化之前的估计，或按旧口径还原",
                "compare with an estimate that ends before it, or restate under the old system",
            ),
        )
    ]


def _as_ordinal(frame: pl.DataFrame, column: str, frequency: Frequency) -> pl.Series:
    series = frame[column]
    if series.dtype == pl.Date or isinstance(series.dtype, pl.Datetime):
        per_year = PERIODS_PER_YEAR[frequency]
        dates = series.cast(pl.Date)
        return dates.dt.year().cast(pl.Int64) * per_year + (
            (dates.dt.month().cast(pl.Int64) - 1) * per_year // 12
        )
    if series.dtype.is_float():
        finite = series.is_finite() & series.is_not_null()
        whole = series.filter(finite)
        if (whole != whole.round(0)).any():
            raise _not_whole(column)
        return (
            pl.select(pl.when(finite).then(series.fill_nan(None)).otherwise(None))
            .to_series()
            .cast(pl.Int64)
        )
    if series.dtype.is_integer():
        return series.cast(pl.Int64)
    raise _not_whole(column)


def _not_whole(column: str) -> DesignError:
    return DesignError(
        Text("时期必须是整数或日期", "periods must be whole numbers or dates"),
        where=f"column {column}",
        mend=Text("先换算为整数年份（或月份序号）", "convert it to whole years, or to dates"),
    )


def _require_keys(tidy: pl.DataFrame) -> None:
    if tidy["period"].null_count() or tidy["unit"].null_count() or tidy.is_empty():
        raise DesignError(
            Text(
                "存在空的单位或时期，或没有数据", "a unit or period is empty, or there are no rows"
            ),
            where="frame",
            mend=Text("删除或补齐这些行", "drop or complete these rows"),
        )
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


def _cohorts_of(
    tidy: pl.DataFrame, first_period: int
) -> tuple[dict[str, int | None], tuple[Finding, ...]]:
    by_unit = tidy.group_by("unit", maintain_order=True).agg(
        pl.col("cohort").first(),
        pl.col("cohort").n_unique().alias("n"),
    )
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
