"""Options of the robust sets: a grid of sizes, and the effect that is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cps.errors import Text, UsageError
from cps.robustness._honest_event import Vector

_MOST_SIZES = 50


@dataclass(frozen=True, slots=True)
class Target:
    """The number asked for: weights of the coefficients after the start, and its name."""

    l_vec: NDArray[np.float64]
    name: Text


def sizes_of(given: str, *, option: str, where: str) -> tuple[float, ...]:
    """Read sizes of departures, separated by commas.

    Raises
    ------
    UsageError
        If one is no number, or is negative.
    """
    found = _numbers(given)
    if found is None or min(found) < 0 or len(found) > _MOST_SIZES:
        raise UsageError(
            Text(f"{option} 的取值 {given} 不可用", f"{given!r} can't be {option}"),
            where=f"{where} › {option}",
            mend=Text(
                f"以逗号分隔给出不小于零的数，至多 {_MOST_SIZES} 个，例如 0.5,1,2",
                f"give numbers that are not negative, at most {_MOST_SIZES}, separated by commas, "
                "such as 0.5,1,2",
            ),
        )
    return found


def target_of(found: Vector, given: str, *, where: str) -> Target:
    """Read the effect asked for: ``average``, ``first``, its number, or weights.

    Raises
    ------
    UsageError
        If there is no such effect, or the weights are not as many as the effects.
    """
    effects = np.flatnonzero(found.is_effect[found.n_pre :])
    n = len(effects)
    if given == "average":
        return Target(found.headline, Text("启动后平均效应", "the average effect"))
    numbers = (1.0,) if given == "first" else _numbers(given)
    chosen = np.zeros(len(found.times) - found.n_pre)
    if numbers is not None and len(numbers) == 1 and numbers[0] in range(1, n + 1):
        k = int(numbers[0])
        chosen[effects[k - 1]] = 1.0
        unit = found.unit
        name = Text(
            f"自启动起第 {k} {unit.zh}的效应", f"the effect in {unit.en} {k} from the start on"
        )
        return Target(chosen, name)
    if numbers is not None and len(numbers) > 1 and len(numbers) == n and any(numbers):
        chosen[effects] = numbers
        shown = ", ".join(f"{one:g}" for one in numbers)
        name = Text(f"按权数 {shown} 合成的效应", f"the effects weighted by {shown}")
        return Target(chosen, name)
    raise UsageError(
        Text(f"target 的取值 {given} 不可用", f"{given!r} can't be target"),
        where=f"{where} › target",
        mend=Text(
            f"写 average、first、1 至 {n} 的整数，或以逗号分隔的 {n} 个权数（不全为零）",
            f"give average, first, a whole number from 1 to {n}, or {n} weights, not all zero, "
            "separated by commas",
        ),
    )


def _numbers(given: str) -> tuple[float, ...] | None:
    try:
        found = tuple(float(one) for one in given.replace("，", ",").split(","))
    except ValueError:
        return None
    return found if all(math.isfinite(one) for one in found) else None
