"""Why an effect can't be refitted and which option to change; why an interval over time is wide."""

from __future__ import annotations

import numpy as np

from cps.design.record import Design
from cps.errors import Finding, Text
from cps.result import Effect, Estimate

PROXIES = (
    "sc",
    "did",
    "demeaned_sc",
    "augmented_sc",
    "augmented_demeaned_sc",
    "factors",
    "completion",
)
# Counterfactual -> a method that rests on it.
_METHODS = {
    "sc": "synthetic_control",
    "did": "synthetic_did（weights=did）",
    "factors": "interactive_fixed_effects",
    "completion": "matrix_completion",
}
_WIDE = 10.0  # typical residuals; a set without refitting's slack spans two to four


def refit_refusal(design: Design, effect: Effect, name: Text, offers: tuple[str, ...]) -> Finding:
    """Say that an effect can't be refitted as it stands, and name what to change.

    Parameters
    ----------
    name : Text
        The inference's.
    offers : tuple of str
        Counterfactuals that it can refit, as :func:`proxy_of` names them.
    """
    changes = options_to_change(effect, offers)
    if changes:
        now = ", ".join(f"{key}={effect.options.get(key, '')}" for key in changes)
        then = ", ".join(f"{key}={value}" for key, value in changes.items())
        return Finding(
            "E-INF-METHOD",
            "reject",
            Text(
                f"{name.zh}需要在原假设下重新拟合反事实，而 {effect.method} 取 {now} 时没有它能重新拟合的形式",
                f"{name.en} refits the counterfactual under the null, and {effect.method} with {now} "
                "has no form that can be refitted",
            ),
            design.name,
            Text(
                f"改用 {effect.method}（{then.replace('|', ' 或 ')}）",
                f"take {effect.method} with {then.replace('|', ' or ')}",
            ),
        )
    others = [_METHODS[one] for one in offers if one in _METHODS]
    kept = [one for one in others if not one.startswith(effect.method)]
    return Finding(
        "E-INF-METHOD",
        "reject",
        Text(
            f"{name.zh}需要在原假设下重新拟合反事实，而 {effect.method} 没有它能重新拟合的形式",
            f"{name.en} refits the counterfactual under the null, and {effect.method} has no form "
            "that can be refitted",
        ),
        design.name,
        Text(
            f"改用 {' 或 '.join(kept)}",
            "take " + " or ".join(one.replace("（", " (").replace("）", ")") for one in kept),
        ),
    )


def options_to_change(effect: Effect, offers: tuple[str, ...]) -> dict[str, str]:
    """Give the options of the same method, with values, that would make its effect refittable."""
    now = effect.options
    if effect.method == "synthetic_did":
        known = {"sc": "sc", "did": "did", "demeaned_sc": "difp"}
        ways = [way for proxy, way in known.items() if proxy in offers]
        return {"weights": "|".join(ways)} if ways else {}
    if effect.method in ("imputation", "two_way_fixed_effects") and "did" in offers:
        return {"levels": "unit"} if now.get("levels") not in (None, "unit") else {}
    if effect.method != "synthetic_control" or "sc" not in offers:
        return {}
    wanted = {"fit": "outcomes"}
    if effect.n_treated > 1:
        wanted["units"] = "pooled"
    if "augmented_sc" not in offers:
        wanted["augment"] = "none"
    if "demeaned_sc" not in offers:
        wanted["intercept"] = "no"
    return {key: value for key, value in wanted.items() if now.get(key) not in (None, value)}


def residual_size(residuals: np.ndarray, n_pre: int) -> float:
    """Give the root mean square of the residuals before the start."""
    return float(np.sqrt((residuals[:n_pre] ** 2).mean()))


def wide_set(
    design: Design, overall: Estimate, *, size: float, n_pre: int, n_post: int, is_torn: bool
) -> list[Finding]:
    """Say in plain words why a correct interval is very wide.

    Parameters
    ----------
    size : float
        Typical residual before the start, with the estimate taken for the effect.
    """
    if overall.ci_low is None or overall.ci_high is None or size <= 0:
        return []
    half = (overall.ci_high - overall.ci_low) / 2
    if half <= _WIDE * size:
        return []
    n = n_pre + n_post
    torn_zh = "；区间内部还含有被拒绝的效应，所示为最外侧的端点" if is_torn else ""
    torn_en = (
        "; effects inside it are rejected too, and the outermost ends are shown" if is_torn else ""
    )
    return [
        Finding(
            "N-INF-WIDE-SET",
            "note",
            Text(
                f"区间很宽（半宽 {half:,.3g}，为启动前典型残差 {size:,.3g} 的 {half / size:,.0f} 倍），但算得没错："
                f"全部 {n} 期中启动后占 {n_post} 期，对每个假设的效应都用全部时期重新拟合，较大的效应也会被拟合吸收而"
                f"不被拒绝{torn_zh}；它表示这些数据排除不了这些效应，不表示效应可能这么大",
                f"the interval is very wide (half of it is {half:,.3g}, {half / size:,.0f} times the "
                f"typical residual before the start, {size:,.3g}), and that is no error: {n_post} of "
                f"{n} periods are after the start, the comparison is fitted anew to all of them under "
                f"each effect tried, follows large effects too, and does not reject them{torn_en}; it "
                "says that these data can't rule such effects out, not that they are likely",
            ),
            design.name,
            Text(
                "以 p 值和各期效应为准；或改用 inference=prediction_intervals，或安慰剂推断",
                "read the p-value and the effects by period; or take "
                "inference='prediction_intervals', or placebos",
            ),
        )
    ]
