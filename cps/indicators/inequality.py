"""How unequal villages are."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from cps.indicators.distribution import gini_of


def gini(values: ArrayLike) -> float | None:
    r"""Give the Gini coefficient of a population, 0 for equality, (n − 1)/n for one holder of all.

    .. math:: G = \frac{\sum_i (2i - n - 1)\, x_{(i)}}{n \sum_i x_i}

    Parameters
    ----------
    values : array_like, shape (n,)
        Values in any unit; NaN (not reported) is left out.

    Returns
    -------
    float or None
        None where the coefficient is not defined: nothing reported, a negative value, or a sum
        of zero.

    References
    ----------
    Sen, A. (1973). On Economic Inequality. Oxford: Clarendon Press.

    Examples
    --------
    >>> gini([1, 1, 1, 1])
    0.0
    >>> gini([0, 0, 0, 1])
    0.75
    """
    given = np.asarray(values, dtype=float)
    given = given[~np.isnan(given)]
    if given.size == 0:
        return None
    found = float(gini_of(given))
    return found if np.isfinite(found) else None


def inequality(values: pl.DataFrame) -> pl.DataFrame:
    """Give the Gini coefficient across units, by area and year.

    Returns
    -------
    polars.DataFrame
        ``area, year, n_units, n_reported, gini``; null where ``gini`` is not defined.
    """
    rows = [
        {
            "area": area,
            "year": year,
            "n_units": part.height,
            "n_reported": part.height - part["value"].null_count(),
            "gini": gini(part["value"].cast(pl.Float64).fill_null(float("nan")).to_numpy()),
        }
        for (area, year), part in values.group_by("area", "year")
    ]
    schema: dict[str, Any] = {
        "area": pl.String,
        "year": values.schema["year"],
        "n_units": pl.Int64,
        "n_reported": pl.Int64,
        "gini": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema).sort("area", "year")
