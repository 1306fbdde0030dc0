"""How many villages lie above a threshold of yearly income."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

THRESHOLDS_YUAN: tuple[int, ...] = (500_000, 1_000_000)


def above_thresholds(
    values: pl.DataFrame, thresholds_yuan: Sequence[int] = THRESHOLDS_YUAN
) -> pl.DataFrame:
    """Count units strictly above each threshold (超), by area and year.

    Parameters
    ----------
    values : polars.DataFrame
        As ``yearly_values`` gives it, in 元.
    thresholds_yuan : sequence of int

    Returns
    -------
    polars.DataFrame
        ``area, year, threshold_yuan, n_units, n_reported, n_above, share_above_pct``; the share is
        of the units that reported, null if none did.
    """
    thresholds = pl.DataFrame(
        {"threshold_yuan": list(thresholds_yuan)}, schema=[("threshold_yuan", pl.Int64)]
    )
    reported = pl.col("value").is_not_null()
    is_above = (pl.col("value") > pl.col("threshold_yuan")).fill_null(False)
    return (
        values.join(thresholds, how="cross")
        .group_by("area", "year", "threshold_yuan")
        .agg(
            n_units=pl.len().cast(pl.Int64),
            n_reported=reported.sum().cast(pl.Int64),
            n_above=is_above.sum().cast(pl.Int64),
        )
        .with_columns(
            share_above_pct=pl.when(pl.col("n_reported") > 0).then(
                100 * pl.col("n_above") / pl.col("n_reported")
            )
        )
        .sort("area", "year", "threshold_yuan")
    )
