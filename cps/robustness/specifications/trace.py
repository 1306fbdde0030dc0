"""Trace the specification curve of one effect: declare, estimate, test jointly, sum up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cps.design.record import Design
from cps.errors import Text, UsageError
from cps.panel.record import Panel
from cps.result import Effect
from cps.robustness.specifications.estimates import Cell, estimate_cells
from cps.robustness.specifications.field import Field, lay_out
from cps.robustness.specifications.grid import Declared, declare, read_grid
from cps.robustness.specifications.joint import joint_test
from cps.robustness.specifications.record import (
    JointTest,
    SpecificationCell,
    SpecificationCurve,
)
from cps.robustness.specifications.rows import rows_of
from cps.robustness.specifications.summary import influences, single_moves
from cps.robustness.specifications.windows import words_for_options

_LEAST_BORNE = 0.5  # of the assignments, for a cell to be in the joint test


def trace_specifications(
    design: Design,
    headline: Effect,
    *,
    panel: Panel | Mapping[str, str | None] | None = None,
    seed: int = 0,
    grid: Path | None = None,
) -> SpecificationCurve:
    """Estimate one effect in every way that was declared, and test all of them at once.

    The grid is data (``grid.toml``): method × controls × comparison units × neighbours × time before
    the start × years dropped × form of the outcome × covariates. It is laid out and hashed before
    anything is estimated. A cell that the design can't bear keeps its place with the reason; one that
    comes to the same design, or to the same estimate under every assignment, is counted once.

    The joint test deals the same starts out to all units compared and estimates the whole grid
    again: what is ranked is the median, the share of the more frequent sign, and the sum of
    estimates over their spread. Estimates in another form of the outcome are put on the headline's
    scale: amounts as ``log(m / (m − att))`` of the treated cells' mean ``m``, log points as
    ``g (1 − exp(−att))`` of their geometric mean ``g``.

    Parameters
    ----------
    design : Design
    headline : Effect
        Of this design; its cell is marked, and its estimate and interval are taken as they are.
    panel : Panel, mapping of unit to area, or None
        Says which area each unit lies in; without it cells by area are refused.
    seed : int
        Of the draws, where assignments are more than the grid's ``draws``.
    grid : Path or None
        Another grid file; the package's own if None.

    Raises
    ------
    UsageError
        If the effect is another design's or has no estimate, or the grid file is faulty.

    References
    ----------
    Simonsohn, Simmons & Nelson (2020), Nature Human Behaviour 4, 1208-1214,
    doi:10.1038/s41562-020-0912-z. Steegen, Tuerlinckx, Gelman & Vanpaemel (2016), Perspectives on
    Psychological Science 11(5), 702-712, doi:10.1177/1745691616658637.
    """
    if headline.design_hash != design.design_hash or headline.overall.att is None:
        raise UsageError(
            Text(
                "主结果不是由这个设计估计的，或没有估计值",
                "the headline was not estimated from this design, or has no estimate",
            ),
            where=f"trace_specifications({design.name}, {headline.initiative})",
            mend=Text("用同一个设计重新估计", "estimate it from this design"),
        )
    asked = read_grid(grid)
    numbers = asked.numbers
    said = words_for_options(design, years=numbers["years_before"], shock_years=asked.shock_years)
    declared = declare(asked, design, headline, said=said)
    field = lay_out(
        design,
        _areas(panel),
        draws=numbers["draws"],
        fewest_draws=numbers["fewest_draws"],
        seed=seed,
    )
    cells = estimate_cells(declared, field)
    return _curve(design, headline, declared, field, cells, seed=seed)


def _areas(panel: Panel | Mapping[str, str | None] | None) -> Mapping[str, str | None]:
    if not isinstance(panel, Panel):
        return panel or {}
    rows = panel.frame.select("unit", "area").unique(maintain_order=True)
    return dict(zip(rows["unit"].to_list(), rows["area"].to_list(), strict=True))


def _curve(
    design: Design,
    headline: Effect,
    declared: Declared,
    field: Field,
    cells: list[Cell],
    *,
    seed: int,
) -> SpecificationCurve:
    rows, refusals = rows_of(cells, declared, field, headline)
    found = [one for one in rows if one.status == "estimated"]
    values = np.array([one.estimate for one in found], dtype=float)
    shares, explained = influences(values, [declared.cells[one.number] for one in found])
    joint, no_joint = _joint([cells[one.number] for one in found], field, seed)
    lowest, lower, middle, upper, highest = (
        float(one) for one in np.quantile(values, [0.0, 0.25, 0.5, 0.75, 1.0])
    )
    att = float(headline.overall.att or 0.0)
    low, high = headline.overall.ci_low, headline.overall.ci_high
    return SpecificationCurve(
        initiative=design.name,
        outcome=design.outcome,
        measure=headline.measure,
        level=headline.level,
        design_hash=design.design_hash,
        declared_hash=declared.sha256,
        is_synthetic=design.is_synthetic,
        dimensions=declared.dimensions,
        cells=rows,
        refusals=refusals,
        n_declared=len(rows),
        n_estimated=len(found),
        n_same=sum(one.status == "same" for one in rows),
        n_refused=sum(one.status == "refused" for one in rows),
        headline=declared.headline,
        headline_estimate=att,
        headline_ci_low=low,
        headline_ci_high=high,
        share_agreeing=float((np.sign(values) == np.sign(att)).mean()) if att else None,
        share_inside=None
        if low is None or high is None
        else float(((values >= low) & (values <= high)).mean()),
        share_small_p=_share_small(found, 1 - headline.level),
        median=middle,
        lowest=lowest,
        highest=highest,
        lower_quartile=lower,
        upper_quartile=upper,
        explained=explained,
        influences=shares,
        moves=single_moves(
            dict(zip((one.number for one in found), values.tolist(), strict=True)),
            declared.cells,
            {one.number: one.same_as for one in rows if one.same_as is not None},
            declared.headline,
        ),
        joint=joint,
        no_joint=no_joint,
    )


def _share_small(found: list[SpecificationCell], size: float) -> float | None:
    known = [one.p_value for one in found if one.p_value is not None]
    return sum(one <= size + 1e-12 for one in known) / len(known) if known else None


def _joint(cells: list[Cell], field: Field, seed: int) -> tuple[JointTest | None, Text | None]:
    if field.no_assignments is not None:
        return None, field.no_assignments
    pairs = [
        (one.own, one.common)
        for one in cells
        if one.own is not None
        and one.common is not None
        and np.isfinite(one.own[0])
        and np.isfinite(one.own[1:]).mean() >= _LEAST_BORNE
    ]
    found = (
        joint_test(*(np.column_stack(list(one)) for one in zip(*pairs, strict=True)))
        if pairs
        else None
    )
    if found is None:
        return None, Text(
            "没有一个设定可以在别的指派下重新估计",
            "no specification can be estimated again under other assignments",
        )
    n = len(field.starts) - 1
    return (
        JointTest(
            n_cells=len(pairs),
            n_assignments=n,
            is_enumerated=field.is_all,
            seed=seed,
            smallest_p=1 / (n + 1),
            median=found.median,
            p_median=found.p_median,
            share=found.share,
            p_share=found.p_share,
            combined=found.combined,
            p_combined=found.p_combined,
            p_joint=found.p_joint,
        ),
        None,
    )
