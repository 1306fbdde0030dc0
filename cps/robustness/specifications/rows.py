"""From cells as estimated to the rows of the record, refused ones with their reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cps.estimators._scale import rank_estimate
from cps.result import Effect, Estimate
from cps.robustness.specifications.estimates import Cell
from cps.robustness.specifications.field import Field
from cps.robustness.specifications.grid import Declared
from cps.robustness.specifications.joint import own_p_values
from cps.robustness.specifications.record import Refusal, SpecificationCell
from cps.robustness.specifications.windows import Why

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What an interval is made of; ``apart`` tells assignments without any host."""

    apart: NDArray[np.bool_]
    fewest_placebos: int
    level: float


def rows_of(
    cells: Sequence[Cell], declared: Declared, field: Field, headline: Effect
) -> tuple[tuple[SpecificationCell, ...], tuple[Refusal, ...]]:
    """Give a row a declared cell, and the reasons why some were refused.

    The headline's row is what was published, whatever the grid's own rules would have said of it.
    """
    counts: dict[Why, int] = {}
    for number, cell in enumerate(cells):
        if cell.why is not None and number != declared.headline:
            counts[cell.why] = counts.get(cell.why, 0) + 1
    place_of = {why: place for place, why in enumerate(counts)}
    # Placebos in which no host has a start: with an effect on the hosts, the others spread further.
    asked = _Asked(
        ~(field.is_host & field.is_host[0]).any(axis=1),
        declared.grid.numbers["fewest_placebos"],
        headline.level,
    )
    rows = []
    for number, cell in enumerate(cells):
        choices = tuple(cell.choices.values())
        if number == declared.headline:
            rows.append(_headline(number, choices, headline, field))
        elif cell.why is not None:
            refusal = place_of[cell.why]
            rows.append(SpecificationCell(number, choices, "refused", refusal=refusal))
        elif cell.same_as is not None:
            rows.append(SpecificationCell(number, choices, "same", same_as=cell.same_as))
        else:
            row = SpecificationCell(number, choices, "estimated", **_numbers(cell, field, asked))
            rows.append(row)
    refusals = tuple(Refusal(why.what, why.mend, n) for why, n in counts.items())
    return tuple(rows), refusals


def _headline(
    number: int, choices: tuple[str, ...], headline: Effect, field: Field
) -> SpecificationCell:
    return SpecificationCell(
        number,
        choices,
        "estimated",
        is_headline=True,
        estimate=headline.overall.att,
        ci_low=headline.overall.ci_low,
        ci_high=headline.overall.ci_high,
        p_value=headline.overall.p_value,
        as_estimated=headline.overall.att,
        as_measured=headline.measure,
        n_treated=headline.n_treated,
        n_comparison=headline.n_comparison,
        n_periods=len(field.design.periods),
    )


def _numbers(cell: Cell, field: Field, asked: _Asked) -> dict[str, Any]:
    own, common = np.asarray(cell.own), np.asarray(cell.common)
    placebos = own[asked.apart]
    placebos = placebos[np.isfinite(placebos)]
    low = high = None
    if len(placebos) >= asked.fewest_placebos:
        estimate = rank_estimate(float(own[0]), placebos, asked.level, n_units=cell.n_comparison)
        low, high = _on_common_scale(cell, estimate)
    return {
        "estimate": float(common[0]),
        "ci_low": low,
        "ci_high": high,
        "p_value": float(own_p_values(own[:, None])[0]) if len(own) > 1 else None,
        "as_estimated": float(own[0]),
        "as_measured": "log_points" if cell.form == "log" else field.design.measure,
        "n_treated": int(field.is_host[0].sum()),
        "n_comparison": cell.n_comparison,
        "n_periods": cell.n_periods,
    }


def _on_common_scale(cell: Cell, estimate: Estimate) -> tuple[float | None, float | None]:
    """Translate both ends of an interval; neither is given where one has no counterpart."""
    if estimate.ci_low is None or estimate.ci_high is None or cell.scale is None:
        return None, None
    ends = np.concatenate(
        [
            cell.scale.common(np.array([one]), slice(0, 1))
            for one in (estimate.ci_low, estimate.ci_high)
        ]
    )
    if not np.isfinite(ends).all():
        return None, None
    return float(ends[0]), float(ends[1])
