"""Traits of initiatives as columns of a meta-regression."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from cps.errors import Text, UsageError
from cps.synthesis._family import Family, Floats

Moderator = Sequence[float | str | None]
Label = tuple[str | None, str | None, str | None]  # moderator, level, reference level


def moderator_columns(
    known: Family, moderators: Mapping[str, Moderator], *, where: str
) -> tuple[Family, Floats, list[Label]]:
    """Give the estimates that have every trait, the regressors, shape (n, p), and their labels."""
    if not moderators:
        raise _fault(
            "没有给出任何特征",
            "no trait is given",
            where,
            Text("至少给出一个特征", "give one at least"),
        )
    kept = known.is_there.copy()
    for name, values in moderators.items():
        if len(values) != known.n_declared:
            raise _fault(
                f"特征“{name}”有 {len(values)} 个值，项目有 {known.n_declared} 个",
                f"{name!r} has {len(values)} values for {known.n_declared} initiatives",
                where,
                Text("每个项目一个值，缺失写 None", "give one each, None where it is missing"),
            )
        kept &= np.array([not is_missing(one) for one in values])
    place = np.flatnonzero(kept).tolist()
    within = kept[known.is_there]
    used = Family(known.estimates[within], known.covariance[np.ix_(within, within)], kept)
    columns: list[Floats] = [np.ones(len(place))]
    found: list[Label] = [(None, None, None)]
    for name, values in moderators.items():
        for column, label in _columns(name, [values[one] for one in place], where):
            columns.append(column)
            found.append(label)
    return used, np.column_stack(columns), found


def _columns(
    name: str, values: Sequence[float | str | None], where: str
) -> list[tuple[Floats, Label]]:
    are_words = {isinstance(one, str) for one in values}
    if len(are_words) > 1:
        raise _fault(
            f"特征“{name}”既有文字又有数字",
            f"{name!r} mixes words and numbers",
            where,
            Text("统一为一种", "make it one or the other"),
        )
    if len(set(values)) < 2:
        raise _fault(
            f"特征“{name}”在可用的项目之间没有差别",
            f"{name!r} does not vary between the initiatives that can be used",
            where,
            Text("去掉这一特征", "leave it out"),
        )
    if True in are_words:
        counts = Counter(str(one) for one in values)
        reference = min(counts, key=lambda one: (-counts[one], one))
        return [
            (np.array([float(one == level) for one in values]), (name, level, reference))
            for level in sorted(counts)
            if level != reference
        ]
    numbers = np.array(values, dtype=float)
    return [(numbers - numbers.mean(), (name, None, None))]


def is_missing(value: float | str | None) -> bool:
    """Tell whether a trait is not known."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _fault(zh: str, en: str, where: str, mend: Text) -> UsageError:
    return UsageError(Text(zh, en), where=where, mend=mend)
