"""How much treatment a unit had by a period: money spent, or number of formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from cps.design.record import Initiative
from cps.errors import DesignError, Text
from cps.periods import Frequency, ordinal

Dose = Literal["cost", "formats"]
_YUAN_PER_WAN = 10_000


def dose_by_period(
    keys: pl.DataFrame, initiatives: Sequence[Initiative], kind: Dose, frequency: Frequency
) -> pl.Series:
    """Add up what had started at each unit by each period.

    Parameters
    ----------
    keys : polars.DataFrame
        Columns unit and period.
    initiatives : sequence of Initiative
        Those whose hosts are counted.
    kind : {"cost", "formats"}
        万元 of all sources of money, or number of initiatives under way.

    Raises
    ------
    DesignError
        If the cost of a host is not declared.
    """
    hosts = [(one, host) for one in initiatives for host in one.treated]
    silent = [f"{one.id} › {host.unit}" for one, host in hosts if not host.cost_yuan]
    if kind == "cost" and silent:
        raise DesignError(
            Text(
                f"有 {len(silent)} 个承办单位没有登记投入金额",
                f"{len(silent)} hosts have no cost declared",
            ),
            where=", ".join(silent[:5]) + (" …" if len(silent) > 5 else ""),
            mend=Text(
                "在项目文件的 [treated.cost_yuan] 中补登，或改用 dose='formats'",
                "declare it under [treated.cost_yuan], or take dose='formats'",
            ),
        )
    started = pl.DataFrame(
        {
            "unit": [host.unit for _, host in hosts],
            "start": [ordinal(host.start, frequency) for _, host in hosts],
            "amount": [
                sum(host.cost_yuan.values()) / _YUAN_PER_WAN if kind == "cost" else 1.0
                for _, host in hosts
            ],
        },
        schema={"unit": pl.String, "start": pl.Int64, "amount": pl.Float64},
    )
    rows = keys.with_row_index("row")
    total = (
        rows.join(started, on="unit", how="inner")  # one row a host and period
        .filter(pl.col("start") <= pl.col("period"))
        .group_by("row")
        .agg(pl.col("amount").sum())
    )
    return (
        rows.select("row")
        .join(total, on="row", how="left", maintain_order="left")["amount"]
        .fill_null(0.0)
        .alias("dose")
    )
