"""Did comparison units move the more, the more they are exposed to the treated ones?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cps.design._power import multiple
from cps.design.record import Design
from cps.errors import Text
from cps.result import Check, Effect
from cps.robustness._parts import amount
from cps.robustness._units import change_around

NAME = Text("按暴露程度的外溢", "Spill-over by exposure")
SIZE = 0.05
PERMUTATIONS = 4_999

Floats = NDArray[np.float64]


def applies(design: Design, effect: Effect) -> Text | None:
    """Say why there is no exposure to look at, or None."""
    if design.exposure is None:
        return Text(
            "没有登记各单位的暴露程度（如与承办单位的距离）",
            "no exposure (such as nearness to a host) was given",
        )
    exposure = design.exposure[design.is_donor]
    if len(exposure) < 4 or np.ptp(exposure) <= 1e-12 * max(float(np.abs(exposure).max()), 1e-300):
        return Text("对照单位太少，或暴露程度都相同", "comparison units are too few, or all alike")
    return None


def run(design: Design, effect: Effect, *, seed: int) -> Check:
    """Regress comparison units' change at the starts on their exposure.

    The slope is ranked among those with exposures dealt out anew (Fisher 1935), and shown for the
    distance between the least and the most exposed unit. Comparison units that move with their
    exposure carry part of the effect, and put the estimate off (Butts 2023,
    doi:10.48550/arXiv.2105.03737). Exposure must be set down without looking at outcomes.
    """
    changes = change_around(design, design.y[design.is_donor])
    exposure = (design.exposure if design.exposure is not None else np.zeros(len(design.units)))[
        design.is_donor
    ]
    seen = np.isfinite(changes)
    changes, exposure = changes[seen], exposure[seen]
    if len(changes) < 4 or np.ptp(exposure) == 0:
        reason = Text(
            "启动前后均有数据的对照单位太少", "too few are seen before and after the starts"
        )
        return Check("exposure", effect.method, None, None, None, NAME, reason)
    slope, error = _slope(exposure, changes)
    draws = np.random.default_rng(seed).permuted(np.tile(exposure, (PERMUTATIONS, 1)), axis=1)
    others = np.abs(_slopes(draws, changes))
    p_value = (1 + int((others >= abs(slope) * (1 - 1e-12)).sum())) / (1 + PERMUTATIONS)
    width = float(np.ptp(exposure))
    shown = amount(design, slope * width)
    missed = amount(design, multiple(len(changes) - 2) * error * width)
    return Check(
        name="exposure",
        method=effect.method,
        verdict=p_value > SIZE,
        statistic=p_value,
        threshold=SIZE,
        title=NAME,
        explanation=Text(
            f"{len(changes)} 个对照单位中，暴露最多者比最少者在启动前后多变动 {shown.zh}，"
            f"p = {p_value:.3f}；小于 {missed.zh} 的差异多半发现不了",
            f"of {len(changes)} comparison units the most exposed changed by {shown.en} more around "
            f"the starts than the least exposed, p = {p_value:.3f}; less than {missed.en} would most "
            "likely go unseen",
        ),
        table={"quantity": ("slope", "standard_error", "width"), "value": (slope, error, width)},
    )


def _slope(exposure: Floats, changes: Floats) -> tuple[float, float]:
    """Give the least-squares slope and its standard error."""
    centred = exposure - exposure.mean()
    size = float(centred @ centred)
    slope = float(centred @ changes) / size
    left = changes - changes.mean() - slope * centred
    return slope, float(np.sqrt(left @ left / (len(changes) - 2) / size))


def _slopes(exposures: Floats, changes: Floats) -> Floats:
    """Give the slope on each row of ``exposures``, permutations of one another."""
    centred = exposures - exposures.mean(axis=1, keepdims=True)
    return np.asarray(centred @ changes / (centred[0] @ centred[0]))
