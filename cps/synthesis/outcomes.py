"""Every outcome of one initiative or scheme, each by the headline method of its own design."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cps.design.build import make_design
from cps.design.record import Initiative
from cps.errors import DesignError, Text
from cps.estimators.battery import estimate_headline
from cps.panel.record import Panel
from cps.result import Effect, Estimate
from cps.synthesis.multiplicity import adjust_p_values


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """The headline estimate for one outcome.

    Parameters
    ----------
    measure, natural_measure : str
        Of ``overall`` and of ``natural``.
    p_adjusted : float or None
        Holm's, over the outcomes of this table.
    problem : Text or None
        Why there is no estimate.
    """

    outcome: str
    name: Text | None
    is_main: bool
    measure: str
    natural_measure: str
    overall: Estimate | None
    natural: Estimate | None
    method_name: Text | None
    level: float | None
    n_treated: int
    n_comparison: int
    p_adjusted: float | None
    is_synthetic: bool
    problem: Text | None


def estimate_outcomes(
    panel: Panel, initiative: Initiative, main: Effect, *, seed: int = 0
) -> tuple[OutcomeRow, ...]:
    """Estimate every outcome that an initiative declares; the main one is taken as it is.

    Several outcomes are several chances to find something: p-values are adjusted by Holm, which
    holds whatever the dependence between outcomes.

    Parameters
    ----------
    main : Effect
        The headline of the main outcome, of an earlier run on the same panel.

    References
    ----------
    Holm, S. (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal
    of Statistics 6.
    """
    found: list[tuple[str, Effect | None, Text | None]] = []
    for outcome in initiative.outcomes:
        if outcome == main.outcome:
            found.append((outcome, main, None))
            continue
        try:
            design = make_design(panel, initiative, outcome=outcome)
            found.append((outcome, estimate_headline(design, seed=seed), None))
        except DesignError as error:
            found.append((outcome, None, error.what))
    p_values = [None if one is None else one.overall.p_value for _, one, _ in found]
    adjusted = adjust_p_values(p_values)
    return tuple(
        OutcomeRow(
            outcome=outcome,
            name=initiative.outcome_names.get(outcome),
            is_main=outcome == main.outcome,
            measure=effect.measure if effect else "",
            natural_measure=effect.natural_measure if effect else "",
            overall=effect.overall if effect else None,
            natural=effect.natural if effect else None,
            method_name=effect.method_name if effect else None,
            level=effect.level if effect else None,
            n_treated=effect.n_treated if effect else 0,
            n_comparison=effect.n_comparison if effect else 0,
            p_adjusted=p,
            is_synthetic=panel.is_synthetic or initiative.is_synthetic,
            problem=problem,
        )
        for (outcome, effect, problem), p in zip(found, adjusted, strict=True)
    )


def outcomes_table(rows: tuple[OutcomeRow, ...]) -> pl.DataFrame:
    """Give the outcomes as a frame, a row each, for a notebook."""
    return pl.DataFrame(
        {
            "outcome": [one.outcome for one in rows],
            "att": [one.overall.att if one.overall else None for one in rows],
            "ci_low": [one.overall.ci_low if one.overall else None for one in rows],
            "ci_high": [one.overall.ci_high if one.overall else None for one in rows],
            "measure": [one.measure for one in rows],
            "p_value": [one.overall.p_value if one.overall else None for one in rows],
            "p_adjusted": [one.p_adjusted for one in rows],
            "is_synthetic": [one.is_synthetic for one in rows],
        }
    )
