"""From ledger rows to a panel: names settled, income defined, years complete or empty."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl

from cps.errors import Finding, PanelError, Text
from cps.ledger.read import Inspection
from cps.ledger.rows import Figures, Ledgers, brief
from cps.panel.crosswalk import load_crosswalk, to_units
from cps.panel.record import PANEL_KEYS, Panel
from cps.panel.rules import broken_rules
from cps.periods import PERIODS_PER_YEAR, Frequency, label

PARTS = ("direct_operating_income", "contract_income", "investment_income")
_KEY = ("unit", "period_start", "frequency")
# What a ledger states one figure of; an account of its own has an item_name of its own.
_FIGURE = ("name", "unit", "period_start", "frequency", "item", "item_name")
_USED = (*PARTS, "operating_income", "local_jobs")
_SHOWN = 5
_TYPES = pl.Schema({**PANEL_KEYS, "income_yuan": pl.Int64(), "jobs_persons": pl.Int64()})
_TOLERANCE = 100  # hundredths of 元, for sums that are stated twice


def build_panel(
    ledgers: Ledgers | Inspection,
    *,
    units: Path | None = None,
    frequency: Frequency = "year",
    unit_kind: str = "village",
) -> Panel:
    """Build a balanced panel of operating income and jobs near home.

    Operating income (经营性收入) is the ledger's own figure or the sum of its three parts;
    subsidies and other income never enter it. A period is filled only if all its months or
    quarters are there; jobs are those at its end. Names go through the crosswalk, and what was
    merged is summed.

    Parameters
    ----------
    ledgers : Ledgers or Inspection
        Of millions of rows an ``Inspection`` takes a quarter of the memory.
    units : Path or None
        Crosswalk of names; ``data/units.toml`` if None.
    frequency : {"year", "quarter", "month"}

    Raises
    ------
    PanelError
        If a name is in no crosswalk, two ledgers contradict each other, or nothing of this
        frequency is there; names file › sheet › cell.
    """
    figures = ledgers.figures()
    if figures.frame.is_empty():
        raise PanelError(
            Text("台账中没有按期的收入或就业数据", "the ledgers hold no series of income or jobs"),
            where=", ".join(one.name for one in figures.sources[:_SHOWN]),
            mend=Text("加入收入或就业台账", "add ledgers of income or jobs"),
        )
    rows, findings = to_units(figures, load_crosswalk(units))
    # By hashes first: of millions of rows few, or none, are worth comparing name by name.
    alike = rows.filter(rows.select(_FIGURE).hash_rows().is_duplicated())
    twice = alike.filter(alike.select(_FIGURE).is_duplicated())
    if twice.height:
        findings += _same_twice(twice, figures)
        rows = rows.unique(_FIGURE, keep="first", maintain_order=True)
    amounts = _summed(rows)
    income, notes = _income(amounts)
    jobs = amounts.filter(pl.col("item") == "local_jobs")
    per_period = [
        _at_frequency(income, frequency, "income_yuan", is_stock=False),
        _at_frequency(jobs, frequency, "jobs_persons", is_stock=True),
    ]
    frame = _balanced(per_period, rows, frequency, figures)
    findings += [*notes, *_incomplete(frame, income, jobs, frequency), *broken_rules(frame)]
    return Panel(
        frame=frame,
        frequency=frequency,
        unit_kind=unit_kind,
        findings=(*brief(figures.findings), *findings),
        sources=figures.sources,
        is_synthetic=bool(frame["is_synthetic"].any()),
    )


def registry_table(ledgers: Ledgers) -> pl.DataFrame:
    """Give the registry of projects, one row a project: unit, project and each item, in 元."""
    registry = ledgers.rows.filter(pl.col("project").is_not_null())
    amounts = registry.filter(pl.col("measure") != "text").pivot(
        "item", index=["unit", "project"], values="value", aggregate_function="first"
    )
    texts = registry.filter(pl.col("measure") == "text").pivot(
        "item", index=["unit", "project"], values="text", aggregate_function="first"
    )
    return amounts.join(texts, on=["unit", "project"], how="left").sort("unit", "project")


def _same_twice(rows: pl.DataFrame, figures: Figures) -> list[Finding]:
    """Refuse one figure stated twice with two values; note those of ``rows`` stated twice alike."""
    twice = rows.group_by(_FIGURE, maintain_order=True).agg(
        pl.col("cents").n_unique().alias("n_values"), "at", "cents"
    )
    torn = twice.filter(pl.col("n_values") > 1)
    one = (torn if torn.height else twice).row(0, named=True)
    shown = figures.places(pl.Series(one["at"][:_SHOWN], dtype=pl.UInt32))
    places = [" › ".join(place) for place in shown.iter_rows()]
    if torn.height:
        pairs = [
            f"{where} = {_amount(cents)}"
            for where, cents in zip(places, one["cents"], strict=False)
        ]
        raise PanelError(
            Text(
                f"有 {torn.height} 个数在台账中出现两次且不相同，首个是"
                f"{one['name']} {one['period_start']} {one['item_name']}",
                f"{torn.height} figures are stated twice and differ; the first is "
                f"{one['name']} {one['period_start']} {one['item_name']}",
            ),
            where="\n         ".join(pairs),
            mend=Text("改正或删去其中一处", "correct or remove one of them"),
        )
    return [
        Finding(
            "N-PANEL-TWICE",
            "note",
            Text(
                "同一数据在台账中出现两次，数值相同，只计一次", "stated twice alike: counted once"
            ),
            "; ".join(places[:2]),
            Text("无需处理", "nothing to do"),
            count=twice.height,
        )
    ]


def _amount(cents: int | None) -> str:
    return str(None if cents is None else Decimal(cents).scaleb(-2))


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    """Sum over accounts and merged units: one amount a unit, period and item that a panel holds.

    What does not apply to a unit adds nothing; what is unknown makes the sum unknown.
    """
    applies = (pl.col("emptiness") != "not_applicable").fill_null(True)
    part = pl.col("cents").cast(pl.Float64) / 100 * pl.col("weight")
    exact = (
        pl.when(pl.col("weight") == 1)
        .then(pl.col("cents"))
        .otherwise((part.round(2).cast(pl.Decimal(20, 2)) * 100).cast(pl.Int64))
    )
    return (
        rows.lazy()
        .filter(pl.col("item").is_in(_USED) & applies)
        .select(
            pl.col("unit"),
            "period_start",
            "frequency",
            "item",
            exact.alias("cents"),
        )
        .group_by(*_KEY, "item", maintain_order=True)
        .agg(
            pl.when(pl.col("cents").is_null().any())
            .then(None)
            .otherwise(pl.col("cents").sum())
            .alias("cents")
        )
        .with_columns(pl.col("unit", "frequency", "item").cast(pl.String))
        .collect()
    )


def _income(amounts: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """Give operating income a unit and period: as stated, or the sum of its parts."""
    key = list(_KEY)
    stated = amounts.filter(pl.col("item") == "operating_income").select(*key, "cents")
    parts = (
        amounts.filter(pl.col("item").is_in(PARTS))
        .group_by(key, maintain_order=True)
        .agg(
            pl.when(pl.col("cents").is_null().any())
            .then(None)
            .otherwise(pl.col("cents").sum())
            .alias("parts")
        )
    )
    both = stated.join(parts, on=key, how="full", coalesce=True)
    off = both.filter((pl.col("cents") - pl.col("parts")).abs() > _TOLERANCE).sort(key)
    findings = []
    if off.height:
        one = off.row(0, named=True)
        findings.append(
            Finding(
                "W-PANEL-PARTS",
                "warn",
                Text(
                    "经营性收入与三项之和不符，以前者为准",
                    "operating income is not the sum of its parts; the former is used",
                ),
                f"{one['unit']} {one['period_start']}: "
                f"{_amount(one['cents'])} / {_amount(one['parts'])}",
                Text("核对各项收入", "check the parts"),
                count=off.height,
            )
        )
    return both.select(*key, pl.coalesce("cents", "parts").alias("cents")), findings


def _at_frequency(
    amounts: pl.DataFrame, frequency: Frequency, column: str, *, is_stock: bool
) -> pl.DataFrame:
    """Bring finer periods to the panel's: flows summed if complete, stocks as of the end.

    Raises
    ------
    PanelError
        If two frequencies give one period two values.
    """
    per_year = PERIODS_PER_YEAR[frequency]
    month = pl.col("period_start").dt.month().cast(pl.Int32)
    period = pl.col("period_start").dt.year() * per_year + (month - 1) * per_year // 12
    needed = pl.col("frequency").replace_strict(PERIODS_PER_YEAR, return_dtype=pl.Int32) // per_year
    usable = amounts.with_columns(period.alias("period"), needed.alias("needed")).filter(
        pl.col("needed") >= 1
    )
    ordered = usable.sort("unit", "period_start").group_by(
        "unit", "period", "frequency", "needed", maintain_order=True
    )
    step = 12 // per_year
    months_a_row = pl.col("frequency").replace_strict(
        {name: 12 // n for name, n in PERIODS_PER_YEAR.items()}, return_dtype=pl.Int32
    )
    if is_stock:
        at_end = ((month - 1) % step) + months_a_row >= step
        value = pl.col("cents").filter(at_end).last()
    else:
        is_whole = (pl.len() == pl.col("needed").first()) & pl.col("cents").is_not_null().all()
        value = pl.when(is_whole).then(pl.col("cents").sum())
    found = ordered.agg(value.alias("cents")).filter(pl.col("cents").is_not_null())
    torn = (
        found.group_by("unit", "period", maintain_order=True)
        .agg(pl.col("cents").min().alias("low"), pl.col("cents").max().alias("high"))
        .filter(pl.col("high") - pl.col("low") > _TOLERANCE)
    )
    if torn.height:
        one = torn.row(0, named=True)
        raise PanelError(
            Text(
                f"有 {torn.height} 个数由不同频率的台账给出且不一致",
                f"{torn.height} figures differ between ledgers of different frequency",
            ),
            where=f"{one['unit']} {label(one['period'], frequency)} ({column}): "
            f"{_amount(one['low'])} / {_amount(one['high'])}",
            mend=Text("核对两份台账，只保留正确的一份", "check both ledgers, keep the right one"),
        )
    # Whole 元, half to even, once and after the sum.
    return found.unique(["unit", "period"], keep="first", maintain_order=True).select(
        "unit",
        pl.col("period").cast(pl.Int32),
        _half_even(pl.col("cents")).alias(column),
    )


def _half_even(cents: pl.Expr) -> pl.Expr:
    whole, rest = cents // 100, cents % 100
    up = (rest > 50) | ((rest == 50) & (whole % 2 == 1))
    return whole + up.cast(pl.Int64)


def _balanced(
    per_period: list[pl.DataFrame], rows: pl.DataFrame, frequency: Frequency, figures: Figures
) -> pl.DataFrame:
    income, jobs = per_period
    found = pl.concat([one["period"] for one in per_period])
    if found.is_empty():
        raise PanelError(
            Text(
                f"没有可用于 {frequency} 面板的完整数据",
                f"no complete data for a {frequency} panel",
            ),
            where=", ".join(
                figures.places(rows["at"])["source_file"].unique().sort().to_list()[:_SHOWN]
            ),
            mend=Text(
                "补齐各月（季），或改用更长的周期", "complete the months, or use longer periods"
            ),
        )
    low, high = found.min(), found.max()
    periods = list(range(int(low), int(high) + 1))  # type: ignore[arg-type]
    labels = pl.DataFrame(
        {
            "period": pl.Series(periods, dtype=pl.Int32),
            "period_label": [label(one, frequency) for one in periods],
        }
    )
    per_year = PERIODS_PER_YEAR[frequency]
    month = pl.col("period_start").dt.month().cast(pl.Int32)
    regimes = (
        rows.select(
            (pl.col("period_start").dt.year() * per_year + (month - 1) * per_year // 12)
            .cast(pl.Int32)
            .alias("period"),
            "regime",
        )
        .unique("period", keep="first")
        .drop_nulls()
    )
    units = (
        rows.group_by("unit")
        .agg(pl.col("home").first().alias("area"), pl.col("is_synthetic").any())
        .cast({"unit": pl.String, "area": pl.String})
    )
    return (
        units.join(labels, how="cross")
        .join(regimes, on="period", how="left")
        .join(income, on=["unit", "period"], how="left")
        .join(jobs, on=["unit", "period"], how="left")
        .sort("unit", "period")
        .select(*PANEL_KEYS, "income_yuan", "jobs_persons")
        .cast(_TYPES)
    )


def _incomplete(
    frame: pl.DataFrame, income: pl.DataFrame, jobs: pl.DataFrame, frequency: Frequency
) -> list[Finding]:
    findings = []
    for column, source, name in (
        ("income_yuan", income, Text("经营性收入", "operating income")),
        ("jobs_persons", jobs, Text("就业人数", "jobs")),
    ):
        if source.is_empty():
            continue
        gaps = frame.filter(pl.col(column).is_null())
        if gaps.height:
            places = ", ".join(
                f"{one['unit']} {one['period_label']}" for one in gaps.head(_SHOWN).to_dicts()
            )
            findings.append(
                Finding(
                    "W-PANEL-INCOMPLETE",
                    "warn",
                    Text(
                        f"{name.zh}有 {gaps.height} 期数据不全，留空",
                        f"{gaps.height} periods of {name.en} are incomplete and left empty",
                    ),
                    places + (" …" if gaps.height > _SHOWN else ""),
                    Text("补齐缺失的月（季）", "supply the missing months or quarters"),
                    count=gaps.height,
                )
            )
    return findings
