"""Whether effects go with what initiatives are, as far as so few initiatives can tell."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from cps.errors import Text, UsageError
from cps.synthesis._distributions import t_quantile
from cps.synthesis._moderators import Moderator, is_missing
from cps.synthesis.heterogeneity import Coefficient, MetaRegression, regress_effects
from cps.synthesis.multiplicity import adjust_p_values

# Fewest initiatives that a trait can be judged from: Cochrane Handbook 10.11.4 for numbers; Fu et
# al. (2011), doi:10.1016/j.jclinepi.2010.08.010, for each kind of a word.
LEAST_NUMBERS = 10
LEAST_OF_A_KIND = 4
POWER = 0.8


@dataclass(frozen=True, slots=True)
class TraitFinding:
    """Whether effects go with one trait, as far as so few initiatives can tell.

    Parameters
    ----------
    trait : str
        As in :func:`initiative_traits`.
    verdict : {"goes_with", "not_shown", "too_few"}
        The trait's test passes at 1 − level after Holm's adjustment for the number of traits; it
        does not; or there are too few initiatives to ask.
    reason : Text or None
        What is lacking, where ``too_few``.
    coefficients : tuple of Coefficient
        Without the intercept; of a number, for one unit of it.
    detectable : tuple of (float or None)
        Size that each coefficient would have to have to be found with 80% power, tested alone.
    p_value, adjusted : float or None
        Of the trait (F test), and after Holm.
    tau : float or None
        Spread of true effects that the trait leaves.
    least, most : float or None
        Of a number, over the initiatives used.
    kinds : dict of str to int
        Of a word, how many initiatives are of each kind.
    n_used, n_declared : int
    """

    trait: str
    verdict: str
    reason: Text | None
    coefficients: tuple[Coefficient, ...]
    detectable: tuple[float | None, ...]
    p_value: float | None
    adjusted: float | None
    tau: float | None
    least: float | None
    most: float | None
    kinds: dict[str, int]
    n_used: int
    n_declared: int


def compare_by_traits(
    estimates: Sequence[float | None] | ArrayLike,
    covariance: ArrayLike,
    traits: Mapping[str, Moderator],
    *,
    level: float = 0.95,
) -> tuple[TraitFinding, ...]:
    """Ask of each trait alone whether effects go with it, and adjust for asking several.

    One trait at a time: fifteen initiatives bear no model of four. A trait is judged with ten
    initiatives at least, each kind of a word with four.

    Parameters
    ----------
    estimates, covariance, level
        As :func:`cps.synthesis.heterogeneity.regress_effects`.
    traits : mapping of str to sequence of (float, str or None), length n_declared
    """
    there = [one is not None and not math.isnan(one) for one in np.asarray(estimates, object)]
    found = [
        _finding(name, values, there, partial(_fitted, estimates, covariance, level))
        for name, values in traits.items()
    ]
    adjusted = adjust_p_values([one.p_value for one in found])
    return tuple(_judged(one, p, level) for one, p in zip(found, adjusted, strict=True))


def _finding(
    name: str,
    values: Moderator,
    there: Sequence[bool],
    fit: Callable[[str, Moderator], MetaRegression],
) -> TraitFinding:
    used = [
        one for one, is_there in zip(values, there, strict=True) if is_there and not is_missing(one)
    ]
    words = [one for one in used if isinstance(one, str)]
    numbers = [float(one) for one in used if isinstance(one, int | float)]
    kinds = dict(sorted(Counter(words).items()))
    reason = _too_few(kinds, numbers)
    coefficients: tuple[Coefficient, ...] = ()
    detectable: tuple[float | None, ...] = ()
    p_value: float | None = None
    tau: float | None = None
    if reason is None:
        try:
            fitted = fit(name, values)
        except UsageError as error:
            reason = error.what
        else:
            coefficients, p_value = fitted.coefficients[1:], fitted.f_p_value
            tau = math.sqrt(fitted.tau2)
            reach = t_quantile(0.5 + fitted.level / 2, fitted.freedom) + t_quantile(
                POWER, fitted.freedom
            )
            detectable = tuple(reach * one.se for one in coefficients)
    return TraitFinding(
        trait=name,
        verdict="not_shown" if reason is None else "too_few",
        reason=reason,
        coefficients=coefficients,
        detectable=detectable,
        p_value=p_value,
        adjusted=None,
        tau=tau,
        least=min(numbers, default=None),
        most=max(numbers, default=None),
        kinds=kinds,
        n_used=len(used),
        n_declared=len(values),
    )


def _fitted(
    estimates: Sequence[float | None] | ArrayLike,
    covariance: ArrayLike,
    level: float,
    name: str,
    values: Moderator,
) -> MetaRegression:
    return regress_effects(estimates, covariance, {name: values}, level=level)


def _too_few(kinds: dict[str, int], numbers: list[float]) -> Text | None:
    """Say what is lacking, or None."""
    if kinds:
        small = [one for one, n in kinds.items() if n < LEAST_OF_A_KIND]
        if small or len(kinds) < 2:
            least = min(kinds.values())
            return Text(
                f"共 {len(kinds)} 类，最少的一类只有 {least} 个项目；"
                f"至少要有两类，每类不少于 {LEAST_OF_A_KIND} 个",
                f"{len(kinds)} kinds, the smallest of {least}; this needs two kinds with "
                f"{LEAST_OF_A_KIND} initiatives each",
            )
        return None
    if len(numbers) < LEAST_NUMBERS:
        return Text(
            f"有估计值且该特征已知的项目 {len(numbers)} 个，不足 {LEAST_NUMBERS} 个",
            f"{len(numbers)} initiatives have an estimate and this trait; it needs {LEAST_NUMBERS}",
        )
    if len(set(numbers)) < 2:
        return Text("各项目在这一特征上没有差别", "the trait is the same for all initiatives")
    return None


def _judged(one: TraitFinding, adjusted: float | None, level: float) -> TraitFinding:
    if adjusted is None:
        return one
    # 1 - 0.95 is a little more than 0.05: the verdict must not hang on that.
    verdict = "goes_with" if adjusted <= 1 - level + 1e-12 else "not_shown"
    return dataclasses.replace(one, adjusted=adjusted, verdict=verdict)
