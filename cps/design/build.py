"""Build a design from a panel and an initiative."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import polars as pl

from cps.design._arrays import COVARIATE
from cps.design._dose import Dose, dose_by_period
from cps.design._finish import finish_design
from cps.design._joint import other_starts, starts_too_early
from cps.design._refuse import require_choices, require_distinct
from cps.design.record import Design, Exclusion, Form, Initiative
from cps.errors import DesignError, Finding, InitiativeError, Text, unknown_choice
from cps.panel.record import Outcome, Panel
from cps.periods import ordinal

# Units left out of the comparison for these reasons are what spill-over checks look at.
RESERVED_REASONS = ("spillover", "contaminated")
# Levels at which something is promised or reported: 50 and 100 万元 of village income.
THRESHOLDS: dict[str, tuple[float, ...]] = {"yuan": (500_000.0, 1_000_000.0)}


def make_design(
    panel: Panel,
    initiative: Initiative,
    *,
    outcome: str = "income_yuan",
    form: Form | None = None,
    others: Sequence[Initiative] = (),
    joint: bool = False,
    covariates: Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
    denominator: str | None = None,
    exposure: str | None = None,
    dose: Dose | None = None,
    dose_of: Sequence[Initiative] = (),
) -> Design:
    """Set one initiative's hosts against units that never hosted any initiative.

    Hosts of more than one initiative are left out, and said so: without a joint model their
    effect can't be attributed. Income is compared in logarithms unless ``form`` says otherwise,
    since village incomes grow and vary in proportion. Of a monthly panel every month is a period:
    a season that all units share is no matter, one that only hosts have is (compare whole years).

    Parameters
    ----------
    panel : Panel
    initiative : Initiative
    outcome : str
        Outcome column of the panel, ``income_yuan`` or ``jobs_persons``.
    form : {"level", "log", "rate"} or None
        Estimation scale; None takes ``log`` for money and ``level`` for the rest. ``rate`` divides
        by ``denominator``.
    others : sequence of Initiative
        The other initiatives of the same place; their hosts can't serve as comparison.
    joint : bool
        Keep the hosts of several initiatives, and those of the others, with the others' starts, for
        a method that estimates all effects together (``joint_effects``).
    covariates : sequence of str
        Numeric columns of the panel.
    weights, denominator : str or None
        Columns of the panel, positive.
    cluster : str or None
        Column of the panel, such as ``area``, within which errors may be related.
    exposure : str or None
        Column of the panel: how far a unit is exposed to hosts, zero or more, fixed over time.
    dose : {"cost", "formats"} or None
        Intensity of treatment for ``dose_response``: 万元 spent, or number of initiatives under way.
    dose_of : sequence of Initiative
        Initiatives that make up the dose; this one if empty. For the number of formats pool them
        (``pool_initiatives``) and name them all here.

    Raises
    ------
    UsageError
        If the panel has no such column.
    InitiativeError
        If the initiative's frequency or unit kind is not the panel's.
    DesignError
        If no host or no comparison unit remains; names what is missing.
    """
    _require_outcome(panel, outcome)
    _require_same_kind(panel, initiative)
    require_choices(form=form or "log")
    if dose is not None:
        require_choices(dose=dose)
    require_distinct(covariates)
    kind = panel.outcomes.get(outcome) or Outcome(outcome, "level")
    measure = kind.measure
    chosen: Form = form or kind.form
    columns = {"weight": weights, "denominator": denominator, "exposure": exposure}
    _require_columns(panel, {**columns, "cluster": cluster}, covariates, form=chosen)
    units = panel.frame.select("unit", "area").unique(maintain_order=True)
    areas = dict(zip(units["unit"].to_list(), units["area"].to_list(), strict=True))
    hosts, exclusions, findings = _clean_hosts(panel, initiative, others, areas, joint=joint)
    donors, left_out = _donors(initiative, others, areas, joint=joint)
    starts = other_starts(panel, initiative, others) if joint else {}
    first = int(panel.frame["period"].min())  # type: ignore[arg-type]
    early = [
        one
        for one in starts_too_early(starts, first, panel.frequency)
        if one.unit in {*hosts, *donors}
    ]
    gone = {one.unit for one in early}
    hosts = {unit: start for unit, start in hosts.items() if unit not in gone}
    donors = [unit for unit in donors if unit not in gone]
    _require_hosts(initiative, hosts, [*exclusions, *early])
    chosen_units = [*hosts, *donors]
    reserved = {
        one.unit: one.reason for one in left_out if one.unit and one.reason in RESERVED_REASONS
    }
    frame = panel.frame.filter(pl.col("unit").is_in([*chosen_units, *reserved])).select(
        "unit",
        "period",
        pl.col(outcome).cast(pl.Float64).alias("outcome"),
        *(
            pl.col(column).cast(pl.Float64).alias(role)
            for role, column in columns.items()
            if column
        ),
        *(pl.col(column).cast(pl.Float64).alias(COVARIATE + column) for column in covariates),
    )
    if dose is not None:
        amounts = dose_by_period(
            frame.select("unit", "period"), dose_of or (initiative,), dose, panel.frequency
        )
        frame = frame.with_columns(amounts)
    return finish_design(
        frame,
        {unit: hosts.get(unit) for unit in chosen_units},
        name=initiative.id,
        outcome=outcome,
        measure=f"{measure}/{denominator}" if chosen == "rate" else measure,
        form=chosen,
        unit_kind=panel.unit_kind,
        frequency=panel.frequency,
        anticipation=initiative.anticipation,
        exclusions=(*exclusions, *early, *left_out),
        is_synthetic=panel.is_synthetic or initiative.is_synthetic,
        findings=(*findings, *_regime_break(panel)),
        clusters=_clusters(panel, cluster, chosen_units) if cluster else None,
        other_cohorts=starts,
        reserved=reserved,
        regimes=_regimes(panel),
        thresholds=_thresholds(panel, measure),
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


def _thresholds(panel: Panel, measure: str) -> tuple[float, ...]:
    """Give the levels at which yearly income of villages is promised or reported."""
    is_income = panel.frequency == "year" and "income_yuan" in panel.outcomes
    return THRESHOLDS.get(measure, ()) if is_income else ()


def _require_outcome(panel: Panel, outcome: str) -> None:
    known = [name for name in panel.outcomes if name in panel.frame.columns]
    if outcome not in panel.frame.columns or outcome in ("unit", "area", "period"):
        raise unknown_choice(Text("结果变量", "outcome"), outcome, known, where="panel")


def _require_columns(
    panel: Panel, roles: dict[str, str | None], covariates: Sequence[str], *, form: Form
) -> None:
    numeric = [
        name
        for name, dtype in panel.frame.schema.items()
        if dtype.is_numeric() and name != "period"
    ]
    for role, column in (*roles.items(), *(("covariate", one) for one in covariates)):
        known = numeric if role != "cluster" else panel.frame.columns
        if column is not None and column not in known:
            raise unknown_choice(Text("列", "column"), column, known, where=f"panel › {role}")
    if form == "rate" and roles["denominator"] is None:
        raise DesignError(
            Text("比率缺少分母", "a rate needs a denominator"),
            where="make_design(form='rate')",
            mend=Text(
                f"给出 denominator，可选：{'、'.join(numeric)}",
                f"give denominator, one of: {', '.join(numeric)}",
            ),
        )


def _clusters(panel: Panel, column: str, units: Sequence[str]) -> dict[str, str]:
    groups = (
        panel.frame.filter(pl.col("unit").is_in(list(units)))
        .group_by("unit")
        .agg(
            pl.col(column).drop_nulls().first().cast(pl.String).alias("value"),
            pl.col(column).n_unique().alias("n"),
        )
        .sort("unit")
    )
    torn = groups.filter((pl.col("n") > 1) | pl.col("value").is_null())
    if torn.height:
        raise DesignError(
            Text(
                f"有 {torn.height} 个单位的 {column} 为空或前后不一",
                f"{column} is empty or changes in {torn.height} units",
            ),
            where=f"panel › unit {torn['unit'][0]}",
            mend=Text("每个单位只应属于一个组", "give each unit one group"),
        )
    return dict(groups.select("unit", "value").iter_rows())


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
    *,
    joint: bool,
) -> tuple[dict[str, int], list[Exclusion], list[Finding]]:
    _require_named_once(initiative)
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
            explanation = Text("台账中没有该单位的数据", "the ledgers hold no data for it")
            exclusions.append(Exclusion(treated.unit, None, "not_in_panel", explanation))
            findings.append(_left_out(treated.unit, explanation, "W-DESIGN-HOST-NOT-IN-PANEL"))
        elif also and not joint:
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
    return hosts, exclusions, findings


def _require_named_once(initiative: Initiative) -> None:
    names = [treated.unit for treated in initiative.treated]
    for name in names:
        if names.count(name) > 1:
            raise DesignError(
                Text(
                    f"承办单位 {name} 被写了 {names.count(name)} 次",
                    f"{name} is named {names.count(name)} times as a host",
                ),
                where=f"{initiative.id} › treated",
                mend=Text(
                    "每个承办单位只写一次，取首次启动时间", "name it once, with its first start"
                ),
            )


def _require_hosts(
    initiative: Initiative, hosts: dict[str, int], exclusions: list[Exclusion]
) -> None:
    if hosts:
        return
    reasons = "; ".join(f"{one.unit}: {one.explanation.en}" for one in exclusions)
    raise DesignError(
        Text(
            "没有可用于估计的承办单位："
            + "；".join(f"{one.unit}：{one.explanation.zh}" for one in exclusions),
            f"no host is left to estimate from ({reasons})",
        ),
        where=f"{initiative.id} › treated",
        mend=Text(
            "补齐承办单位的台账；重叠的项目可用联合模型（joint=True），或合并为一个项目评估",
            "add the hosts' ledgers; of overlapping initiatives, take a joint model (joint=True), "
            "or evaluate them as one",
        ),
    )


def _left_out(unit: str, explanation: Text, code: str) -> Finding:
    return Finding(
        code=code,
        severity="warn",
        what=Text(f"承办单位未纳入估计：{explanation.zh}", f"host left out: {explanation.en}"),
        where=unit,
        mend=Text(
            "补齐数据，或采用联合模型（joint=True）后再纳入",
            "supply the data, or use a joint model (joint=True), to take it in",
        ),
    )


def _donors(
    initiative: Initiative,
    others: Sequence[Initiative],
    areas: dict[str, str | None],
    *,
    joint: bool,
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
        elif unit in elsewhere and not joint:
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
            Text("没有剩下任何对照单位", "no comparison unit is left"),
            where=f"{initiative.id} › comparison ({len(left_out)} left out)",
            mend=Text(
                "放宽对照范围，或补充外镇（街道）未开展项目的单位的台账",
                "widen the comparison, or add ledgers of units that host no initiative",
            ),
        )
    return donors, left_out


def _regimes(panel: Panel) -> dict[int, str | None] | None:
    found = panel.frame.group_by("period").agg(pl.col("regime").drop_nulls().first())
    regimes: dict[int, str | None] = dict(found.iter_rows())
    return regimes if any(one is not None for one in regimes.values()) else None


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
                f"{first} 起执行新的村集体会计制度，口径变化若对承办单位与对照单位不同，将影响估计",
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
