"""The untreated part of a panel or a design, as the ground that a plan is tried on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import polars as pl

from cps.design._arrays import arrays_of
from cps.design._hash import hash_design
from cps.design.record import Design, Form, Initiative
from cps.design.subset import subset_design
from cps.errors import DesignError, Text, UsageError, unknown_choice
from cps.panel.record import Outcome, Panel
from cps.periods import label


def untreated_part(
    source: Panel | Design,
    *,
    outcome: str,
    form: Form | None,
    others: Sequence[Initiative],
    areas: Sequence[str],
) -> Design:
    """Keep units that host nothing and have complete data; nobody has a start.

    Raises
    ------
    UsageError
        If a design is given, and what only a panel needs.
    DesignError
        If fewer than four such units remain.
    """
    if isinstance(source, Design):
        _require_unused(form=form, others=others, areas=areas)
        # Nobody left hosts anything: there is nothing joint about them.
        part = dataclasses.replace(
            subset_design(source, units=source.is_donor), other_cohorts={}, left_out=()
        )
    else:
        part = _of_panel(source, outcome=outcome, form=form, others=others, areas=areas)
    if len(part.units) < 4:
        raise DesignError(
            Text(
                f"未承办任何项目且数据完整的单位只有 {len(part.units)} 个，无法模拟",
                f"only {len(part.units)} units host nothing and have complete data: too few to "
                "simulate with",
            ),
            where=f"plan › {part.outcome}",
            mend=Text("补充台账，或放宽 areas", "add ledgers, or widen areas"),
        )
    return part


def _require_unused(**given: object) -> None:
    for name, value in given.items():
        if value:
            raise UsageError(
                Text(
                    f"由设计做计划时，{name} 已在设计中定好",
                    f"of a design, {name} is settled already",
                ),
                where=f"plan({name}=…)",
                mend=Text("去掉该参数，或由面板做计划", "leave it out, or plan on the panel"),
            )


def _of_panel(
    panel: Panel,
    *,
    outcome: str,
    form: Form | None,
    others: Sequence[Initiative],
    areas: Sequence[str],
) -> Design:
    if outcome not in panel.frame.columns:
        known = [one for one in panel.outcomes if one in panel.frame.columns]
        raise unknown_choice(Text("结果变量", "outcome"), outcome, known, where="panel")
    frame = panel.frame
    known_areas = frame["area"].drop_nulls().unique().to_list()
    for area in areas:
        if area not in known_areas:
            raise unknown_choice(Text("镇街", "area"), area, known_areas, where="plan(areas=…)")
    if areas:
        frame = frame.filter(pl.col("area").is_in(list(areas)))
    hosts = sorted({host.unit for one in others for host in one.treated})
    frame = frame.filter(~pl.col("unit").is_in(hosts))
    kind = panel.outcomes.get(outcome) or Outcome(outcome, "level")
    measure = kind.measure
    chosen: Form = form or kind.form
    units = frame["unit"].unique(maintain_order=True).to_list()
    arrays = arrays_of(
        frame.select("unit", "period", pl.col(outcome).cast(pl.Float64).alias("outcome")),
        units,
        form=chosen,
        where="plan",
    )
    arrays.keep(arrays.is_complete())
    design = Design(
        name="plan",
        outcome=outcome,
        measure=measure,
        form=chosen,
        unit_kind=panel.unit_kind,
        frequency=panel.frequency,
        units=tuple(arrays.units),
        periods=tuple(arrays.periods),
        period_labels=tuple(label(one, panel.frequency) for one in arrays.periods),
        y=arrays.y,
        y_natural=arrays.y_natural,
        cohort=(None,) * len(arrays.units),
        is_donor=np.ones(len(arrays.units), dtype=bool),
        exclusions=(),
        anticipation=0,
        minimum_detectable_effect=None,
        is_synthetic=panel.is_synthetic,
        findings=(),
        design_hash="",
    )
    return dataclasses.replace(design, design_hash=hash_design(design))
