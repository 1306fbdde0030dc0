"""Did treated and comparison units move alike before the start?"""

from __future__ import annotations

from statistics import NormalDist

from cps.design.record import Design
from cps.errors import DesignError, Text
from cps.estimators.registry import estimate
from cps.result import Check, Effect
from cps.robustness._parts import amount

NAME = Text("启动前趋势", "Trends before the start")
SIZE = 0.05


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is nothing to compare, or None."""
    first = min(design.cohorts)
    if sum(period < first - design.anticipation for period in design.periods) < 2:
        return Text("启动前不足两期，无从比较趋势", "fewer than two periods before the start")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Compare the largest pre-start difference, in standard errors, with a Bonferroni bound.

    The differences are plain ones (equal weights): a method that chooses weights to fit the
    pre-periods can't be judged by its own fit. Passing says little where power is low (Roth 2022,
    doi:10.1257/aeri.20210236); the explanation gives the difference that would have been missed.
    """
    try:
        plain = estimate(design, "synthetic_did", seed=seed, options={"weights": "did"})
    except DesignError:
        plain = None
    if plain is None or plain.inference == "none":
        options = {"control": "never" if design.n_donors else "not_yet", "base": "universal"}
        plain = estimate(design, "group_time_att", options=options)
    before = [
        (one.event_time, one.estimate.att, one.estimate.se)
        for one in plain.by_event_time
        if one.event_time < -design.anticipation
        and one.estimate.att is not None
        and one.estimate.se is not None
    ]
    if not before:
        reason = Text("启动前各期没有标准误", "no standard errors before the start")
        return Check("pretrend", plain.method, None, None, None, NAME, reason)
    threshold = NormalDist().inv_cdf(1 - SIZE / (2 * len(before)))
    ratios = [abs(att) / se for _, att, se in before]
    worst = max(range(len(before)), key=ratios.__getitem__)
    event_time, att, se = before[worst]
    size, missed = amount(design, att), amount(design, threshold * se)
    passed = ratios[worst] <= threshold
    return Check(
        name="pretrend",
        method=plain.method,
        verdict=passed,
        statistic=ratios[worst],
        threshold=threshold,
        title=NAME,
        explanation=Text(
            f"启动前 {len(before)} 期中差异最大的是第 {event_time} 期（{size.zh}），"
            f"为标准误的 {ratios[worst]:.2f} 倍，界限 {threshold:.2f} 倍。"
            f"该期小于 {missed.zh} 的差异本检验发现不了",
            f"of {len(before)} periods before the start, period {event_time} differs most "
            f"({size.en}): {ratios[worst]:.2f} standard errors against a bound of {threshold:.2f}. "
            f"Less than {missed.en} there would not have been seen",
        ),
        table={
            "event_time": tuple(one[0] for one in before),
            "att": tuple(one[1] for one in before),
            "se": tuple(one[2] for one in before),
        },
    )
