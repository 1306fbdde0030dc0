"""Would units that were never treated show as large an effect?"""

from __future__ import annotations

import numpy as np

from cps.design.record import Design
from cps.errors import Text
from cps.result import Check, Effect
from cps.robustness._parts import amount, several
from cps.robustness._placebos import assignment, placebo_effects

NAME = Text("空间安慰剂", "Placebo in space")
_FEWEST = 2


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is no placebo distribution, or None."""
    if effect.overall.att is None:
        return Text("没有可供比较的估计", "there is no estimate to rank")
    pattern, place = assignment(design)
    n, k = int(place.max(initial=-1)) + 1, len(pattern)
    if not effect.placebos and n - k < _FEWEST:
        is_whole = k < design.n_treated
        zh, en = ("聚类", "comparison cluster") if is_whole else ("单位", "comparison unit")
        return Text(
            f"对照{zh} {n} 个，不足以替代 {k} 个承办{zh}",
            f"{several(n, en)} can't stand in for {several(k, 'treated one')}",
        )
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Rank the estimate among the effects found where nothing happened.

    Abadie, Diamond & Hainmueller (2010), doi:10.1198/jasa.2009.ap08746. A method without placebo
    effects of its own is fitted to the comparison units alone, with the treated units' starts dealt
    out among them. The verdict says whether the estimate stands out; one that does not may be
    small, or only hard to see.
    """
    if "placebo" in effect.tables and effect.overall.p_value is not None:
        return _by_ratio(effect)
    placebos, by_cluster = np.array(effect.placebos), Text("", "")
    if not len(placebos):
        placebos = placebo_effects(design, effect, seed=seed)
        if len(assignment(design)[0]) < design.n_treated:
            by_cluster = Text("（聚类整体替换）", " of whole clusters")
    if not len(placebos):
        reason = Text(
            "该方法无法在对照单位上重新估计", "the method can't be fitted to comparison units alone"
        )
        return Check("placebo_in_space", effect.method, None, None, None, NAME, reason)
    att = effect.overall.att or 0.0
    threshold = 1 - effect.level
    n = len(placebos)
    as_large = int((np.abs(placebos) >= abs(att)).sum())
    p_value = (1 + as_large) / (1 + n)
    shown = amount(design, att)
    too_few = 1 / (1 + n) > threshold
    verb = "is" if as_large == 1 else "are"
    return _judged(
        effect,
        p_value,
        Text(
            f"{n} 次安慰剂{by_cluster.zh}中有 {as_large} 次不小于本估计（{shown.zh}），"
            f"p = {p_value:.3f}",
            f"{as_large} of {several(n, 'placebo effect')}{by_cluster.en} {verb} as large as the "
            f"estimate ({shown.en}), p = {p_value:.3f}",
        ),
        too_few=too_few,
    )


def _by_ratio(effect: Effect) -> Check:
    """Rank the error after the start over that before it, as synthetic controls do."""
    p_value, n = effect.overall.p_value or 1.0, len(effect.placebos)
    return _judged(
        effect,
        p_value,
        Text(
            f"按启动后与启动前的均方误差之比，在连同 {n} 次安慰剂的排序中，p = {p_value:.3f}",
            "by the ratio of mean squared errors after and before the start, among "
            f"{several(n, 'placebo')}, p = {p_value:.3f}",
        ),
        too_few=(effect.p_value_floor or 0.0) > 1 - effect.level,
    )


def _judged(effect: Effect, p_value: float, found: Text, *, too_few: bool) -> Check:
    """Set the rank against the level; no verdict where it could not reach it."""
    threshold = 1 - effect.level
    tail_zh = "；安慰剂太少，p 值再小也到不了界限" if too_few else ""
    tail_en = "; too few placebos for any p-value to reach the bound" if too_few else ""
    return Check(
        name="placebo_in_space",
        method=effect.method,
        verdict=None if too_few else p_value <= threshold,
        statistic=p_value,
        threshold=threshold,
        title=NAME,
        explanation=Text(found.zh + tail_zh, found.en + tail_en),
    )
