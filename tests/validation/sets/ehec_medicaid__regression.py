"""Medicaid expansion: R ``fixest`` and ``bacondecomp`` in the Mixtape sessions' solutions."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import cps
from cps.design.record import Design
from tests.validation.table import Ours

SET = "ehec_medicaid"
KINDS = ("earlier_vs_later", "later_vs_earlier", "treated_vs_untreated")


def ours(folder: Path) -> dict[str, Ours]:
    """Give the static coefficient, its parts, and the event study of one cohort."""
    frame = pl.read_parquet(folder / "data.parquet")
    effect = cps.estimate(_design(frame), "two_way_fixed_effects")
    parts = effect.tables["bacon"]
    rows = list(zip(*(parts[key] for key in ("kind", "estimate", "weight")), strict=True))
    weights = [sum(w for kind, _, w in rows if kind == one) for one in KINDS]
    products = [sum(b * w for kind, b, w in rows if kind == one) for one in KINDS]
    pairs = list(zip(parts["treated"], parts["untreated_group"], strict=True))
    place = pairs.index((2014, "never"))
    treated_only = cps.estimate(
        _design(frame.drop_nulls("yexp2").drop_nans("yexp2")), "two_way_fixed_effects"
    ).overall
    # One cohort against those who expand later or never, as the HonestDiD example has it.
    early = frame.filter((pl.col("year") < 2016) & (pl.col("yexp2").fill_null(0) != 2015))
    events = cps.estimate(_design(early), "interaction_weighted").by_event_time
    shown = [one.estimate for one in events if one.event_time != -1]
    return {
        "twfe_static": Ours(effect.overall.att, effect.overall.se),
        "bacon_weights": Ours(weights),
        "bacon_estimates": Ours([b / w for b, w in zip(products, weights, strict=True)]),
        "bacon_2014_never": Ours([parts["estimate"][place], parts["weight"][place]]),
        "twfe_drop_never": Ours(treated_only.att, treated_only.se),
        "es_twfe_nonstaggered": Ours([one.att for one in shown], [one.se for one in shown]),
    }


def _design(frame: pl.DataFrame) -> Design:
    return cps.design_from_frame(
        frame, unit="stfips", period="year", outcome="dins", cohort="yexp2"
    )
