"""Rules of time: gaps, villages that stop, months copied, running totals, too little data."""

from __future__ import annotations

import datetime

import polars as pl

from cps.errors import Text
from cps.ledger._given import FLOWS, Given
from cps.ledger._log import KEPT
from cps.ledger.rows import ITEM_NAMES

_FEW_PERIODS = 3


def coverage(given: Given) -> None:
    """Gaps inside a series, villages that stop reporting, too few periods, too few villages."""
    if given.series.is_empty():
        return
    is_monthly = pl.col("frequency") == "month"
    is_all = given.series.select(is_monthly.all()).item()
    monthly = given.series if is_all else given.where(is_monthly)
    if monthly.height:
        months = monthly["period_start"].unique().sort().to_list()
        if len(months) < _FEW_PERIODS and monthly.height == given.series.height:
            first = monthly.row(0, named=True)
            given.say(
                "W-LEDGER-FEW-PERIODS",
                "warn",
                Text(
                    f"只有 {len(months)} 个月的数据，无法估计任何影响",
                    f"{len(months)} months of data: no effect can be estimated from them",
                ),
                first,
                mend=Text("与其他月份的台账一起读", "read it together with other months"),
                value="",
                said="",
            )
        _gaps(given, monthly)
    units = given.series["unit"].unique()
    if len(units) == 1 and given.registry is not None and len(given.registry.units) > 1:
        given.say(
            "W-LEDGER-ONE-VILLAGE",
            "warn",
            Text("只有一个村，没有可比的村", "one village only: nothing to compare it with"),
            given.series.row(0, named=True),
            mend=Text("加入其他村的台账", "add other villages' ledgers"),
            value=units[0],
            said="",
        )


def _gaps(given: Given, monthly: pl.DataFrame) -> None:
    last = monthly["period_start"].unique().sort().to_list()[-1]
    spans = monthly.group_by("item").agg(pl.col("period_start").unique().sort().alias("months"))
    all_months = {one["item"]: one["months"] for one in spans.to_dicts()}
    counts = monthly.group_by("unit", "item").agg(
        pl.col("period_start").min().alias("low"),
        pl.col("period_start").max().alias("high"),
        pl.len().alias("n"),  # one a period: what was given twice is counted once by now
    )
    expected = pl.DataFrame(
        [
            {"item": item, "last": months[-1], "total": len(months)}
            for item, months in all_months.items()
        ],
        schema={"item": pl.Categorical, "last": pl.Date, "total": pl.UInt32},
    )
    odd = counts.join(expected, on="item").filter(
        (pl.col("high") < pl.col("last")) | (pl.col("n") < pl.col("total"))
    )
    stopped: dict[tuple[str, datetime.date], list[str]] = {}
    holes: dict[tuple[str, datetime.date], list[str]] = {}
    for one in odd.sort("unit", "item").head(50 * KEPT).to_dicts():
        months = [m for m in all_months[one["item"]] if one["low"] <= m]
        after = [m for m in months if m > one["high"]]
        if after:
            stopped.setdefault((one["unit"], after[0]), []).append(one["item"])
        if one["n"] < len(months) - len(after):
            have = set(
                monthly.filter((pl.col("unit") == one["unit"]) & (pl.col("item") == one["item"]))[
                    "period_start"
                ].to_list()
            )
            inside = [m for m in months if m < one["high"] and m not in have]
            if inside:
                holes.setdefault((one["unit"], inside[0]), []).append(one["item"])
    for found, code, what in (
        (
            stopped,
            "W-LEDGER-ATTRITION",
            lambda u, m, names: Text(
                f"“{u}”自 {m:%Y-%m} 起没有数据（{names}），其他村报到 {last:%Y-%m}",
                f"{u} has nothing from {m:%Y-%m} on; others report to {last:%Y-%m}",
            ),
        ),
        (
            holes,
            "W-LEDGER-GAP",
            lambda u, m, names: Text(
                f"“{u}”缺 {m:%Y-%m} 等月的数据（{names}）", f"{u} lacks {m:%Y-%m} and maybe more"
            ),
        ),
    ):
        for (unit, month), items in found.items():
            names = "、".join(ITEM_NAMES.get(item, item) for item in items[:3])
            names += " 等" if len(items) > 3 else ""
            entry = (
                monthly.filter((pl.col("unit") == unit) & (pl.col("item") == items[0]))
                .sort("period_start")
                .row(-1, named=True)
            )
            given.say(
                code,
                "warn",
                what(unit, month, names),
                entry,
                mend=Text(
                    "补齐缺月；确无数据请说明", "supply the months, or say why there are none"
                ),
                value="",
            )


def copied_months(given: Given) -> None:
    """A month whose every figure is that of the month before."""
    items = given.items(*FLOWS)
    if not items:
        return
    is_flow = pl.col("item").is_in(FLOWS)
    is_given = (pl.col("frequency") == "month") & (pl.col("cents") != 0)
    counts = [_alike(given.where(is_given & (pl.col("item") == one), *_OF_ITEM)) for one in items]
    by_month = (
        pl.concat(counts).group_by("period_start").agg(pl.col("n").sum(), pl.col("same").sum())
    )
    for one in (
        by_month.filter((pl.col("n") >= 6) & (pl.col("same") * 100 >= pl.col("n") * 95))
        .sort("period_start")
        .to_dicts()
    ):
        month = one["period_start"]
        earlier = (month.replace(day=1) - datetime.timedelta(days=1)).replace(day=1)
        given.say(
            "W-LEDGER-MONTH-COPIED",
            "warn",
            Text(
                f"{month:%Y-%m} 的 {one['same']} 个数与 {earlier:%Y-%m} 完全相同，疑为复制",
                f"{one['same']} figures of {month:%Y-%m} are those of {earlier:%Y-%m}: copied?",
            ),
            given.where(is_given & is_flow & (pl.col("period_start") == month))
            .join(
                given.where(is_given & is_flow & (pl.col("period_start") == earlier), *_UNIT_ITEM),
                on=_UNIT_ITEM,
                how="semi",
                maintain_order="left",
            )
            .row(0, named=True),
            mend=Text("核对该月台账", "check that month's ledger"),
        )


_UNIT_ITEM = ["unit", "item"]
_OF_ITEM = ["unit", "period_start", "cents"]


def _alike(flows: pl.DataFrame) -> pl.DataFrame:
    """Count one item's figures a month that have one in the month before, and those like it."""
    before = flows.select(
        "unit", pl.col("period_start").dt.offset_by("1mo"), pl.col("cents").alias("before")
    )
    return (
        flows.join(before, on=["unit", "period_start"], how="inner")
        .group_by("period_start")
        .agg(pl.len().alias("n"), (pl.col("cents") == pl.col("before")).sum().alias("same"))
    )


def constant_villages(given: Given) -> None:
    """A village whose every income stays the same for half a year: copied forward, perhaps."""
    is_flow = (pl.col("frequency") == "month") & pl.col("item").is_in(FLOWS) & (pl.col("cents") > 0)
    flows = given.where(is_flow, "unit", "item", "cents")
    spans = flows.group_by("unit", "item", maintain_order=True).agg(
        pl.col("cents").n_unique().alias("n_values"), pl.len().alias("n")
    )
    still = spans.group_by("unit", maintain_order=True).agg(
        (pl.col("n_values") == 1).all().alias("same"), pl.col("n").min(), pl.len().alias("n_items")
    )
    found = still.filter(pl.col("same") & (pl.col("n") >= 6))
    if found.height * 2 > still.height and still.height > 1:
        return  # a month copied for all villages is said by another rule
    for unit in found["unit"].head(KEPT).to_list():
        entry = given.where(is_flow & (pl.col("unit") == unit)).row(0, named=True)
        given.say(
            "W-LEDGER-CONSTANT",
            "warn",
            Text(f"“{unit}”各月收入完全相同，疑为照抄", f"{unit} has the same income every month"),
            entry,
            mend=Text("核对各月台账", "check each month"),
        )


def all_zero(given: Given) -> None:
    """Flows that are zero throughout."""
    is_flow = pl.col("item").is_in(FLOWS) & pl.col("cents").is_not_null()
    flows = given.where(is_flow, "cents")["cents"]
    if len(flows) > 1 and (flows == 0).all():
        given.say(
            "W-LEDGER-ALL-ZERO",
            "warn",
            Text("全部收入都是 0", "every income is zero"),
            given.where(is_flow).row(0, named=True),
            mend=Text("确认是否漏填；缺数请留空", "were they left out? leave unknowns empty"),
            said="",
        )


def running_totals(given: Given) -> None:
    """Figures that grow from January to December and fall back: year to date, not a month's."""
    is_flow = (
        (pl.col("frequency") == "month")
        & pl.col("item").is_in(FLOWS)
        & pl.col("cents").is_not_null()
    )
    monthly = given.where(is_flow, "unit", "item", "period_start", "cents")
    key = ["unit", "item", pl.col("period_start").dt.year().alias("year")]
    cents, start = pl.col("cents"), pl.col("period_start")
    ends = (
        monthly.group_by(key)
        .agg(
            pl.len().alias("n"),
            cents.get(start.arg_min()).alias("first"),
            cents.get(start.arg_max()).alias("last"),
            cents.min().alias("low"),
            cents.max().alias("high"),
        )
        .filter((pl.col("n") >= 6) & (pl.col("last") > 0))
    )
    may_run = (
        (pl.col("first") == pl.col("low"))
        & (pl.col("last") == pl.col("high"))
        & (pl.col("last") >= pl.col("first") * 4)
    )
    candidates = ends.filter(may_run)
    if candidates.height * 2 <= ends.height or candidates.height < 2:
        return
    years = (
        monthly.sort("period_start")
        .group_by(key, maintain_order=True)
        .agg(
            (cents.diff().drop_nulls() >= 0).all().alias("grows"),
            cents.first().alias("first"),
            cents.last().alias("last"),
        )
        .join(ends.select("unit", "item", "year"), on=["unit", "item", "year"], how="semi")
    )
    if years.is_empty():
        return
    running = years.filter(pl.col("grows") & (pl.col("last") >= pl.col("first") * 4))
    if running.height * 2 <= years.height or running.height < 2:
        return
    one = running.row(0, named=True)
    entry = given.where(
        is_flow
        & (pl.col("unit") == one["unit"])
        & (pl.col("item") == one["item"])
        & (pl.col("period_start").dt.year() == one["year"])
    ).row(-1, named=True)
    given.say(
        "W-LEDGER-CUMULATIVE",
        "warn",
        Text(
            "多数村的数从 1 月到年末只增不减，疑为“本年累计”而非当月数",
            "most series only grow from January on: year to date, it seems, not the month's",
        ),
        entry,
        mend=Text("改填当月发生数", "give each month's own figure"),
        count=running.height,
    )


_SPIKE, _BACK = 0.5, 0.1


def spikes(given: Given) -> None:
    """A count of people that jumps for one period and comes back."""
    counts = given.series.filter(
        pl.col("item").is_in(["population", "employed_persons"]) & (pl.col("cents") > 0)
    )
    if counts.height < 3:
        return
    key = ["unit", "item", "frequency"]
    beside = counts.sort(*key, "period_start").with_columns(
        pl.col("cents").shift(1).over(key).alias("before"),
        pl.col("cents").shift(-1).over(key).alias("after"),
    )
    near = ((pl.col("before") - pl.col("after")).abs() / pl.col("before")) <= _BACK
    jump = ((pl.col("cents") - pl.col("before")).abs() / pl.col("before")) >= _SPIKE
    found = beside.filter((near & jump).fill_null(False))
    given.say_each(
        "W-LEDGER-SPIKE",
        "warn",
        lambda entry: Text(
            f"人数突变为 {entry['cents'] // 100}，前后两期为 {entry['before'] // 100} 和 "
            f"{entry['after'] // 100}",
            f"{entry['cents'] // 100} people between {entry['before'] // 100} and "
            f"{entry['after'] // 100}",
        ),
        found,
        mend=Text("核对该期人数", "check that period's count"),
    )
