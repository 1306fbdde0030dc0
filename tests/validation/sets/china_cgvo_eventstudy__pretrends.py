"""Graduate village officials in rural China: what R ``pretrends`` prints of the published study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from cps.robustness._pretrend_power import (
    mean_after_pretest,
    power_against,
    slope_for_power,
)
from tests.validation.table import Ours, card

SET = "china_cgvo_eventstudy"
BASE = -1


def ours(folder: Path) -> dict[str, Ours]:
    """Give powers, and what passing the pre-test does, under a line and a parabola.

    The manual's line is the slope that it found, as it prints it: what is compared under that line
    takes the printed slope.
    """
    rows = pl.read_csv(folder / "data.csv")
    beta = rows["beta"].to_numpy()
    sigma = rows.select(pl.col("^s-?\\d+$")).to_numpy()
    since = rows["t"].to_numpy().astype(float) - BASE
    before = since < 0
    inner = np.ix_(before, before)
    targets = {one["id"]: one["value"] for one in card(folder.parent, SET)["targets"]}
    line = targets["slope50"] * since
    straight = power_against(beta[before], sigma[inner], line[before])
    bent = power_against(beta[before], sigma[inner], (0.024 * since**2)[before])
    return {
        "beta": Ours(beta),
        "se": Ours(np.sqrt(np.diag(sigma))),
        "slope50": Ours(slope_for_power(since[before], sigma[inner], 0.5)),
        "power_at_slope50": Ours([straight.power, straight.bayes_factor]),
        "likelihood_ratio": Ours(straight.likelihood_ratio),
        "quadratic": Ours([bent.power, bent.bayes_factor, bent.likelihood_ratio]),
        "mean_after_pretest": Ours(mean_after_pretest(line, sigma, int(before.sum()))),
    }
