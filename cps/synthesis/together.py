"""The initiatives of one place judged as one family, as the overview shows them.

Fifteen estimates set side by side invite a league table. Here each is read in the light of the
others, and no order is given without the ranks that the data leave open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cps.design.build import make_design
from cps.design.record import Design, Initiative
from cps.errors import CpsError, Text
from cps.estimators._scale import natural_scale
from cps.panel.record import Panel
from cps.result import Effect, Estimate
from cps.synthesis.comparison import NO_EFFECT, NO_RUN, HasEffects
from cps.synthesis.family_judgement import (
    FOREMOST,
    Joined,
    Judgement,
    Refusal,
    join_headlines,
    judge_family,
)
from cps.synthesis.linear_forms import linear_form
from cps.synthesis.trait_findings import TraitFinding
from cps.synthesis.traits import FAMILY_NAMES, family_of, initiative_traits

LEVEL = 0.95
SEED = 20_240_101
# Traits asked about; money is what the public paid.
TRAITS = ("format", "start_year", "log_baseline", "public_wan_per_host")
_JOINT = "joint_effects"  # keeps the hosts of several initiatives
# What a coefficient is told for: a year, a doubling, 100 万元; of a word, for being of that kind.
_STEPS = {"log_baseline": math.log(2), "public_wan_per_host": 100.0}
_OTHER_KIND = Text("结果或计量单位与其他项目不同", "another outcome or measure than the others'")


def judge_together(
    panel: Panel,
    initiatives: Sequence[Initiative],
    runs: Sequence[HasEffects],
    *,
    failures: Mapping[str, Text] | None = None,
    level: float = LEVEL,
    seed: int = SEED,
) -> dict[str, Any]:
    """Judge the headline effects of all initiatives as one family.

    Their joint covariance comes from the weights that each estimate gives to villages and years:
    villages that serve several initiatives as comparison, or host several, make errors depend on
    one another (:func:`cps.synthesis.linear_forms.fixed_weight_covariance`). Each keeps its own
    standard error where that holds its level. No initiative is estimated again.

    Parameters
    ----------
    panel : Panel
        The one that the runs were made from.
    initiatives : sequence of Initiative
        All declared; one without an estimate may stand at any rank.
    runs : sequence of Run
        Finished ones, in any order, the headline effect first.
    failures : mapping of str to Text
        Initiative id -> why its run failed; an older run of it is not read.
    level : float
    seed : int
        Of the draws behind Romano–Wolf and rank sets.

    Returns
    -------
    dict
        JSON-able. ``initiatives``: columns, in the order declared, on the scale of ``measure``,
        those that end in ``_natural`` in ``natural_measure``. ``family``: mean, spread, dependence,
        what ranks tell apart. ``traits``: rows. ``refusals``: parts that can't be given, and why.
    """
    found, why = _headlines(initiatives, runs, failures or {})
    designs = _designs(panel, initiatives, found, why)
    effects = {name: found[name] for name in designs}
    family: dict[str, Any] = {
        "level": level,
        "n_declared": len(initiatives),
        "n_joined": len(designs),
        "n_clear_alone": sum(_is_clear(one) for one in effects.values()),
        "foremost": FOREMOST,
        **_measures(effects),
    }
    table = _identity(initiatives, effects, why)
    try:
        joined = join_headlines([one.id for one in initiatives], designs, effects)
    except CpsError as error:
        refused = Refusal("joint", error.what, error.mend)
        return {
            "initiatives": table,
            "family": family,
            "traits": [],
            "refusals": [_refused(refused)],
        }
    families = {one.format: family_of(one.format) for one in initiatives}
    traits = initiative_traits(initiatives, designs, families=families)
    judged = judge_family(joined, {name: traits[name] for name in TRAITS}, level=level, seed=seed)
    return {
        "initiatives": table | _columns(joined, judged, designs, effects),
        "family": family | _dependence(joined) | _whole(judged),
        "traits": [_trait(one) for one in judged.traits],
        "refusals": [_refused(one) for one in judged.refusals],
    }


def _headlines(
    initiatives: Sequence[Initiative], runs: Sequence[HasEffects], failures: Mapping[str, Text]
) -> tuple[dict[str, Effect], dict[str, Text]]:
    """Give the headline effects of one outcome and measure, and why the others have none."""
    by_name = {run.name: run for run in runs}
    found: dict[str, Effect] = {}
    why: dict[str, Text] = {}
    for one in initiatives:
        run = by_name.get(one.id)
        if one.id in failures:
            why[one.id] = failures[one.id]
        elif run is None:
            why[one.id] = NO_RUN
        elif not run.effects or run.effects[0].overall.att is None:
            why[one.id] = NO_EFFECT
        else:
            found[one.id] = run.effects[0]
    kinds = [(one.outcome, one.measure) for one in found.values()]
    if kinds:
        commonest = max(sorted(set(kinds)), key=kinds.count)
        for name in [
            name for name, one in found.items() if (one.outcome, one.measure) != commonest
        ]:
            why[name] = _OTHER_KIND
            del found[name]
    return found, why


def _designs(
    panel: Panel,
    initiatives: Sequence[Initiative],
    effects: Mapping[str, Effect],
    why: dict[str, Text],
) -> dict[str, Design]:
    """Make the designs again whose estimates are weighted sums; say of the others why not."""
    designs: dict[str, Design] = {}
    for one in initiatives:
        if one.id not in effects:
            continue
        effect = effects[one.id]
        try:
            design = make_design(
                panel,
                one,
                outcome=effect.outcome,
                others=initiatives,
                joint=effect.method == _JOINT,
            )
            linear_form(design, effect)
        except CpsError as error:
            why[one.id] = error.what
        else:
            designs[one.id] = design
    return designs


def _is_clear(effect: Effect) -> bool:
    """Tell whether an effect's own interval and p-value speak against none."""
    one = effect.overall
    if one.ci_low is None or one.ci_high is None or one.ci_low <= 0 <= one.ci_high:
        return False
    return one.p_value is None or one.p_value <= 1 - effect.level + 1e-12


def _measures(effects: Mapping[str, Effect]) -> dict[str, str | None]:
    first = next(iter(effects.values()), None)
    return {
        "outcome": first.outcome if first else None,
        "measure": first.measure if first else None,
        "natural_measure": first.natural_measure if first else None,
    }


def _identity(
    initiatives: Sequence[Initiative], effects: Mapping[str, Effect], why: Mapping[str, Text]
) -> dict[str, list[Any]]:
    reasons = [None if one.id in effects else why[one.id] for one in initiatives]
    return {
        "initiative": [one.id for one in initiatives],
        "name_zh": [one.name.zh for one in initiatives],
        "name_en": [one.name.en for one in initiatives],
        # One that was not run has no page to lead to.
        "page": [
            None if reason is NO_RUN else f"{one.id}.html"
            for one, reason in zip(initiatives, reasons, strict=True)
        ],
        "reason_zh": [one and one.zh for one in reasons],
        "reason_en": [one and one.en for one in reasons],
    }


def _columns(
    joined: Joined,
    judged: Judgement,
    designs: Mapping[str, Design],
    effects: Mapping[str, Effect],
) -> dict[str, list[Any]]:
    """Give what is said of each initiative, None where it has no estimate or a part is refused."""
    n = len(joined.names)
    nothing: list[Any] = [None] * n
    errors = np.sqrt(np.diag(joined.covariance))
    pooled, tests, ranks, alone = judged.pooled, judged.tests, judged.ranks, judged.ranks_alone
    columns: dict[str, list[Any]] = {
        "att": list(joined.estimates),
        "se": [float(one) if np.isfinite(one) else None for one in errors],
        "low": [_end(effects.get(one), "ci_low") for one in joined.names],
        "high": [_end(effects.get(one), "ci_high") for one in joined.names],
        "all_low": list(tests.low) if tests else nothing,
        "all_high": list(tests.high) if tests else nothing,
        "p_value": list(tests.p_value) if tests else nothing,
        "adjusted_rw": list(tests.adjusted) if tests else nothing,
        "adjusted_bh": list(judged.discoveries),
        "pooled": list(pooled.effect) if pooled else nothing,
        "pooled_low": list(pooled.low) if pooled else nothing,
        "pooled_high": list(pooled.high) if pooled else nothing,
        "shrinkage": list(pooled.shrinkage) if pooled else nothing,
        "probability_positive": list(pooled.probability_positive) if pooled else nothing,
        "rank": list(ranks.rank) if ranks else nothing,
        "rank_low": list(alone.low) if alone else nothing,
        "rank_high": list(alone.high) if alone else nothing,
        "rank_low_all": list(ranks.low) if ranks else nothing,
        "rank_high_all": list(ranks.high) if ranks else nothing,
    }
    for size, marks in judged.may_lead.items():
        columns["may_be_best" if size == 1 else "may_lead"] = list(marks)
    for size, marks in judged.may_trail.items():
        columns["may_be_last" if size == 1 else "may_trail"] = list(marks)
    for name in (
        "att",
        "low",
        "high",
        "all_low",
        "all_high",
        "pooled",
        "pooled_low",
        "pooled_high",
    ):
        columns[f"{name}_natural"] = [
            _natural(designs.get(one), value)
            for one, value in zip(joined.names, columns[name], strict=True)
        ]
    return columns


def _end(effect: Effect | None, end: str) -> float | None:
    value: float | None = None if effect is None else getattr(effect.overall, end)
    return value


def _natural(design: Design | None, value: float | None) -> float | None:
    if design is None or value is None:
        return None
    found = natural_scale(design, Estimate(value))
    return None if found is None else found.att


def _dependence(joined: Joined) -> dict[str, Any]:
    """Say where the joint covariance comes from, and how far it is from independence."""
    there = [one for one in joined.joint.error_ratio if one is not None]
    n = len(joined.joint.names)
    correlation = np.array(joined.joint.correlation, dtype=float)[np.triu_indices(n, 1)]
    return {
        "covariance": joined.source.kind,
        "errors": joined.joint.scale,
        "errors_why_zh": joined.doubts and joined.doubts.zh,
        "errors_why_en": joined.doubts and joined.doubts.en,
        "freedom": joined.joint.freedom,
        "n_pool": joined.source.n_pool,
        "n_shared": joined.source.n_shared,
        "correlation_median": float(np.median(correlation)),
        "correlation_least": float(correlation.min()),
        "correlation_most": float(correlation.max()),
        "error_ratio_least": min(there, default=None),
        "error_ratio_most": max(there, default=None),
        "members": list(joined.joint.names),
        "correlation": [list(one) for one in joined.joint.correlation],
    }


def _whole(judged: Judgement) -> dict[str, Any]:
    """Give what is said of the family as a whole; keys of refused parts are absent."""
    found: dict[str, Any] = {}
    if judged.pooled:
        pooled = judged.pooled
        found |= {
            "mean": pooled.mean,
            "mean_low": pooled.mean_low,
            "mean_high": pooled.mean_high,
            "tau": pooled.tau,
            "tau_low": pooled.tau_low,
            "tau_high": pooled.tau_high,
            "new_low": pooled.new_low,
            "new_high": pooled.new_high,
            "new_probability_positive": pooled.new_probability_positive,
        }
    if judged.spread:
        spread = judged.spread
        found |= {
            "q": spread.q,
            "q_freedom": spread.q_freedom,
            "q_p_value": spread.q_p_value,
            "i2": spread.i2,
            "i2_low": spread.i2_low,
            "i2_high": spread.i2_high,
        }
    if judged.tests:
        tests = judged.tests
        found |= {
            "n_rejected_rw": sum(bool(one) for one in tests.is_rejected),
            "n_rejected_bh": sum(
                one is not None and one <= 1 - tests.level + 1e-12 for one in judged.discoveries
            ),
            "draws": tests.draws,
        }
    if judged.ranks:
        low, high = judged.ranks.low, judged.ranks.high
        n = len(low)
        found |= {
            "n_pairs": n * (n - 1) // 2,
            # Each pair told apart is one above for its lower member.
            "n_pairs_told": sum(one - 1 for one in low),
            "tells_nothing": all(one == (1, n) for one in zip(low, high, strict=True)),
        }
    return found


def _trait(one: TraitFinding) -> dict[str, Any]:
    step = _STEPS.get(one.trait, 1.0)
    return {
        "trait": one.trait,
        "verdict": one.verdict,
        "reason_zh": one.reason and one.reason.zh,
        "reason_en": one.reason and one.reason.en,
        "p_value": one.p_value,
        "adjusted": one.adjusted,
        "tau": one.tau,
        "least": one.least,
        "most": one.most,
        "n_used": one.n_used,
        "n_declared": one.n_declared,
        "kinds": [{**_kind(name), "n": n} for name, n in one.kinds.items()],
        "coefficients": [
            {
                "at": None if row.at is None else _kind(row.at),
                "against": None if row.against is None else _kind(row.against),
                "estimate": step * row.estimate,
                "low": step * row.low,
                "high": step * row.high,
                "p_value": row.p_value,
                "detectable": None if reach is None else step * reach,
            }
            for row, reach in zip(one.coefficients, one.detectable, strict=True)
        ],
    }


def _kind(name: str) -> dict[str, str]:
    words = FAMILY_NAMES.get(name, Text(name, name))
    return {"kind": name, "zh": words.zh, "en": words.en}


def _refused(one: Refusal) -> dict[str, str]:
    return {
        "part": one.part,
        "what_zh": one.what.zh,
        "what_en": one.what.en,
        "mend_zh": one.mend.zh,
        "mend_en": one.mend.en,
    }
