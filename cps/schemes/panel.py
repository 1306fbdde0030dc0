"""From a scheme's ledgers to a panel of its units, and to the initiative that is evaluated on it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from cps.design.initiatives import EXCLUSION_REASONS
from cps.design.record import Exclusion, Initiative, TreatedUnit
from cps.errors import Finding, SchemeError, Text
from cps.ledger.rows import brief
from cps.panel.record import PANEL_KEYS, Outcome, Panel
from cps.periods import label
from cps.provenance import write_text
from cps.schemes.measures import measure
from cps.schemes.reader import SchemeLedgers
from cps.schemes.record import Register, Scheme, SchemeOutcome

_SHOWN = 5
_WHOLE = ("yuan", "persons", "count")


def scheme_panel(scheme: Scheme, ledgers: SchemeLedgers) -> Panel:
    """Build a balanced panel: every registered unit in every period that the ledgers span.

    What was not measured is null, never zero; only a count or a sum of a ledger that its scheme
    declares a complete log is zero where nothing happened.

    Parameters
    ----------
    scheme : Scheme
        With ``[units]`` and ``[[outcomes]]``.
    ledgers : SchemeLedgers

    Raises
    ------
    SchemeError
        If the scheme declares no register or no outcome, the register is empty or names a unit
        twice, or no case can be placed in a period.
    """
    register = _register(scheme)
    units = _units(scheme, register, ledgers)
    measured = {
        one.id: measure(
            ledgers.tables[one.measurement.ledger],
            one.measurement,
            scheme.frequency,
            in_percent=one.measure == "percent",
        )
        for one in scheme.outcomes
    }
    periods = _periods(scheme, measured)
    frame = units.select("unit", "area").join(periods, how="cross")
    findings = list(ledgers.findings)
    for outcome in scheme.outcomes:
        values = measured[outcome.id]
        strangers = values.join(units, on="unit", how="anti")
        if strangers.height:
            findings.append(_strangers(scheme, outcome, strangers))
        frame = frame.join(
            values.select("unit", "period", pl.col("value").alias(outcome.id)),
            on=["unit", "period"],
            how="left",
            maintain_order="left",
        )
        frame = frame.with_columns(_column(scheme, outcome, values))
        gaps = frame[outcome.id].null_count()
        if gaps:
            findings.append(_gaps(outcome, gaps, frame.height))
    is_synthetic = pl.lit(ledgers.is_synthetic, dtype=pl.Boolean).alias("is_synthetic")
    return Panel(
        frame=frame.with_columns(pl.lit(None, dtype=pl.String).alias("regime"), is_synthetic)
        .select(*PANEL_KEYS, *(one.id for one in scheme.outcomes))
        .sort("unit", "period"),
        frequency=scheme.frequency,
        unit_kind=scheme.unit_kind,
        findings=brief(findings),
        sources=ledgers.sources,
        is_synthetic=ledgers.is_synthetic,
        outcomes={one.id: Outcome(one.measure, one.form) for one in scheme.outcomes},
    )


def scheme_initiative(scheme: Scheme, ledgers: SchemeLedgers) -> Initiative:
    """Give the scheme as an initiative: who was reached when, as its register says.

    Raises
    ------
    SchemeError
        If the scheme has no design, or nobody in the register has a start.
    """
    register, design = _register(scheme), scheme.design
    if design is None:
        raise cannot_run(scheme)
    units = _units(scheme, register, ledgers)
    treated = units.filter(pl.col("start").is_not_null())
    if treated.is_empty():
        raise SchemeError(
            Text("单位登记中没有一个开始日期", "no unit of the register has a start"),
            where=f"{scheme.id}.toml › units › start = {register.start}",
            mend=Text("在登记台账中填写开始日期", "enter the dates of start in the register"),
        )
    left_out = units.filter(pl.col("start").is_null() & pl.col("exclude").is_not_null())
    return Initiative(
        id=scheme.id,
        name=scheme.name,
        description=design.description,
        format="scheme",
        provenance="published",
        stands_for=scheme.claims,
        is_synthetic=ledgers.is_synthetic,
        unit_kind=scheme.unit_kind,
        frequency=scheme.frequency,
        outcomes=tuple(one.id for one in scheme.outcomes),
        treated=tuple(
            TreatedUnit(unit, start) for unit, start in treated.select("unit", "start").iter_rows()
        ),
        comparison_areas=design.comparison_areas,
        exclusions=tuple(
            _exclusion(unit, said) for unit, said in left_out.select("unit", "exclude").iter_rows()
        ),
        anticipation=design.anticipation,
        assumptions=design.assumptions,
        source_sha256=scheme.source_sha256,
        outcome_names={one.id: one.name for one in scheme.outcomes},
    )


def write_initiative(initiative: Initiative, folder: Path) -> Path:
    """Write an initiative as a file that ``load_initiative`` reads."""
    lines = [
        f"{key} = {_toml(value)}"
        for key, value in (
            ("id", initiative.id),
            ("name", initiative.name),
            ("description", initiative.description),
            ("format", initiative.format),
            ("provenance", initiative.provenance),
            ("stands_for", initiative.stands_for),
            ("is_synthetic", initiative.is_synthetic),
            ("unit_kind", initiative.unit_kind),
            ("frequency", initiative.frequency),
            ("outcomes", initiative.outcomes),
            ("anticipation", initiative.anticipation),
            ("comparison_areas", initiative.comparison_areas),
        )
    ]
    lines += ["", "[outcome_names]"]
    lines += [f"{name} = {_toml(text)}" for name, text in initiative.outcome_names.items()]
    for host in initiative.treated:
        lines += ["", "[[treated]]", f"unit = {_toml(host.unit)}", f"start = {host.start}"]
    for left_out in initiative.exclusions:
        lines += ["", "[[exclusions]]", f"unit = {_toml(left_out.unit)}"]
        lines += [f"reason = {_toml(left_out.reason)}"]
        lines += [f"explanation = {_toml(left_out.explanation)}"]
    for one in initiative.assumptions:
        lines += ["", "[[assumptions]]", f"text = {_toml(one.text)}"]
        lines += [f"quality = {_toml(one.quality)}", f"impact = {_toml(one.impact)}"]
    path = folder / f"{initiative.id}.toml"
    write_text(path, "\n".join(lines) + "\n")
    return path


def cannot_run(scheme: Scheme) -> SchemeError:
    """Make the error for a scheme of which no effect can be estimated, in its own words."""
    if scheme.uses_initiatives:
        return SchemeError(
            Text("该举措由各项目文件评估", "this scheme is evaluated from the initiatives' files"),
            where=f"--scheme {scheme.id}",
            mend=Text("不加 --scheme，直接运行 cps run", "run cps run without --scheme"),
        )
    return SchemeError(
        Text(
            f"“{scheme.name.zh}”不能估计效果：{scheme.reason.zh}",
            f"no effect of {scheme.name.en} can be estimated: {scheme.reason.en}",
        ),
        where=f"{scheme.id}.toml",
        mend=Text(
            "用 cps schemes --out 查看其指标卡", "see its indicator card with cps schemes --out"
        ),
    )


def _toml(value: str | bool | int | tuple[str, ...] | Text | None) -> str:
    if isinstance(value, Text):
        return f"{{ zh = {_toml(value.zh)}, en = {_toml(value.en)} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    # A basic string of TOML has the escapes of JSON; what JSON leaves bare, DEL, TOML escapes.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _register(scheme: Scheme) -> Register:
    if scheme.register is None or not scheme.outcomes:
        raise cannot_run(scheme)
    return scheme.register


def _units(scheme: Scheme, register: Register, ledgers: SchemeLedgers) -> pl.DataFrame:
    """Give the registered units with area, start and exclusion, in order of name."""
    table = ledgers.tables[register.ledger].drop_nulls(register.unit)
    where = f"{scheme.id} › {scheme.ledger(register.ledger).layout.name.zh}"
    if table.is_empty():
        raise SchemeError(
            Text(
                "没有单位登记，不知道谁在何时开始", "there is no register of units and their starts"
            ),
            where=where,
            mend=Text("补报登记台账", "supply the register"),
        )
    twice = table.filter(pl.col(register.unit).is_duplicated())
    if twice.height:
        one = twice.row(0, named=True)
        raise SchemeError(
            Text(
                f"“{one[register.unit]}”在登记中出现多次",
                f"{one[register.unit]!r} is registered twice",
            ),
            where=f"{one['source_file']} › {one['line']}",
            mend=Text(
                "每个单位只登记一次，取首次开始日期", "register it once, with its first start"
            ),
        )
    missing = pl.lit(None, dtype=pl.String)
    return table.select(
        pl.col(register.unit).alias("unit"),
        (pl.col(register.area) if register.area else missing).alias("area"),
        pl.col(register.start).cast(pl.Date).alias("start"),
        (pl.col(register.exclude) if register.exclude else missing).alias("exclude"),
    ).sort("unit")


def _periods(scheme: Scheme, measured: dict[str, pl.DataFrame]) -> pl.DataFrame:
    found = pl.concat([one["period"] for one in measured.values()]).drop_nulls()
    low, high = found.min(), found.max()
    if not isinstance(low, int) or not isinstance(high, int):
        raise SchemeError(
            Text(
                "台账中没有可用于结果变量的数据",
                "the ledgers hold nothing to measure outcomes from",
            ),
            where=scheme.id,
            mend=Text(
                "核对单位列、日期列和筛选条件", "check the columns of unit and date, and filters"
            ),
        )
    ordinals = list(range(low, high + 1))
    return pl.DataFrame(
        {
            "period": pl.Series(ordinals, dtype=pl.Int32),
            "period_label": [label(one, scheme.frequency) for one in ordinals],
        }
    )


def _column(scheme: Scheme, outcome: SchemeOutcome, values: pl.DataFrame) -> pl.Expr:
    """Fill a complete log's silence with zero, and give the column its type."""
    column = pl.col(outcome.id)
    is_log = scheme.ledger(outcome.measurement.ledger).is_complete_log
    if is_log and outcome.measurement.take in ("count", "sum"):
        spans = pl.col("period").is_between(values["period"].min(), values["period"].max())
        column = pl.when(spans).then(column.fill_null(0.0)).otherwise(column)
    if outcome.measure in _WHOLE and outcome.measurement.take in ("count", "sum", "stock", "last"):
        column = column.round(0, mode="half_to_even").cast(pl.Int64)
    return column.alias(outcome.id)


def _exclusion(unit: str, said: str) -> Exclusion:
    reason = said if said in EXCLUSION_REASONS else "other"
    explanation = Text(f"登记注明：{said}", f"the register says: {said}")
    return Exclusion(unit=unit, area=None, reason=reason, explanation=explanation)


def _strangers(scheme: Scheme, outcome: SchemeOutcome, rows: pl.DataFrame) -> Finding:
    names = rows["unit"].unique().sort().to_list()
    ledger = scheme.ledger(outcome.measurement.ledger).layout.name
    return Finding(
        code="W-SCHEME-NOT-REGISTERED",
        severity="warn",
        what=Text(
            f"“{ledger.zh}”中有 {len(names)} 个单位不在登记中，未纳入",
            f"{len(names)} units of {ledger.en!r} are not registered and were left out",
        ),
        where="、".join(names[:_SHOWN]),
        mend=Text("补入登记台账，或核对名称", "register them, or check their names"),
        count=len(names),
    )


def _gaps(outcome: SchemeOutcome, gaps: int, n_cells: int) -> Finding:
    return Finding(
        code="N-SCHEME-GAPS",
        severity="note",
        what=Text(
            f"{outcome.name.zh}：{n_cells} 个单位期中 {gaps} 个没有数据，留空，不作零处理",
            f"{outcome.name.en}: {gaps} of {n_cells} cells of unit and period have no data; they "
            "are left empty and never taken as zero",
        ),
        where=outcome.id,
        mend=Text("如有遗漏，补报台账", "supply ledgers if some are missing"),
        count=gaps,
    )
