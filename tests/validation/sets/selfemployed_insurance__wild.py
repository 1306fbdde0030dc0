"""Self-employed health insurance, 8 year clusters: boottest's printed wild cluster bootstrap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from cps.estimators._wild import wild_bootstrap
from tests.validation.table import Ours

SET = "selfemployed_insurance"
_NULL = 0.04  # the value that every target tests post_self against


def ours(folder: Path) -> dict[str, Ours]:
    """Give the t statistics, p-values and interval of ``post_self``."""
    rows = pl.read_csv(folder / "data.csv").drop_nulls()
    y = rows["hasinsurance"].to_numpy()
    names = ("selfemployed", "post", "post_self")
    x = np.column_stack([np.ones(len(y)), *(rows[name].to_numpy() for name in names)])
    year = np.unique(rows["year"].to_numpy(), return_inverse=True)[1]
    each = np.arange(len(y))
    rademacher = wild_bootstrap(y, x, year, 3, null=_NULL, kind="rademacher")
    webb = wild_bootstrap(y, x, year, 3, null=_NULL, kind="webb", draws=99_999)
    normal = wild_bootstrap(y, x, year, 3, null=_NULL, kind="normal", draws=99_999)
    # boottest counts larger draws only. Of the two that equal the statistic, rounding lets its Mata
    # count one (19/256) and its Julia neither (18/256): half of them is the printed value.
    half = wild_bootstrap(y, x, year, 3, null=_NULL, kind="rademacher", ties="half")
    strict = wild_bootstrap(y, x, year, 3, null=_NULL, kind="rademacher", ties="strict")
    residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    variance = residual @ residual / (len(y) - x.shape[1]) * np.linalg.inv(x.T @ x)[3, 3]
    post = wild_bootstrap(y, x, year, 2, kind="rademacher")
    return {
        "t": Ours(rademacher.t),
        "wcr_rademacher_p": Ours(half.p_value),
        "wcr_ci": Ours([strict.ci_low, strict.ci_high]),
        "wcr_webb_p": Ours(webb.p_value),
        "wcr_normal_p": Ours(normal.p_value),
        "robust_t": Ours(wild_bootstrap(y, x, each, 3, null=_NULL, draws=9).t),
        "ols_t": Ours((rademacher.estimate - _NULL) / np.sqrt(variance)),
        "post_t": Ours(post.t, p=post.p_value),
    }
