"""The growth words of Chinese statistics, each with the formula that it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cps.errors import Text, UsageError

Word = Literal["year_on_year", "on_previous", "since_base", "points", "times"]
WORDS: dict[str, Text] = {
    "year_on_year": Text("同比", "year on year"),
    "on_previous": Text("环比", "on the previous period"),
    "since_base": Text("比基期", "since the base period"),
    "points": Text("百分点", "percentage points"),
    "times": Text("倍", "times"),
}
_AGAINST: dict[str, tuple[Text, Text]] = {
    "year_on_year": (Text("本期", "this period"), Text("上年同期", "same period a year before")),
    "on_previous": (Text("本期", "this period"), Text("上期", "previous period")),
    "since_base": (Text("报告期", "this period"), Text("基期", "base period")),
    "points": (Text("本期占比", "share now"), Text("对比期占比", "share before")),
    "times": (Text("报告期", "this period"), Text("基期", "base period")),
}


@dataclass(frozen=True, slots=True)
class Growth:
    """A growth figure with its word, its sentence and its formula.

    Parameters
    ----------
    word : str
        A key of ``WORDS``.
    value : float or None
        Per cent; percentage points for ``points``; 倍 for ``times``. None where not defined.
    now, before : float
    phrase : Text
        ``同比增长 7.7%``, ``提高 0.94 个百分点``, ``增长 7.3 倍`` …
    formula : Text
        In words and in numbers.
    """

    word: str
    value: float | None
    now: float
    before: float
    phrase: Text
    formula: Text


def growth(now: float, before: float, *, word: Word, digits: int = 1) -> Growth:
    """Say how much something grew, in the word that official statistics have for it.

    同比 is against the same period a year before, 环比 against the period just before: which value
    ``before`` is, the caller sees to. Differences of shares are 百分点, not per cent. 增长 X 倍 is
    +X×100%, so that growing 1 倍 is doubling (翻一番); 倍 is never used of a fall.

    Parameters
    ----------
    now, before : float
        Amounts in one unit; for ``points`` shares in per cent.
    word : {"year_on_year", "on_previous", "since_base", "points", "times"}
    digits : int
        Decimals printed.

    Returns
    -------
    Growth
        ``value`` is None where the base is not positive or the value turned negative (and for
        ``times`` where it fell).

    Raises
    ------
    UsageError
        If the word is unknown, or a number is not finite.

    Examples
    --------
    >>> growth(62038, 7438, word="times").phrase.zh
    '增长 7.3 倍（即增长 734.1%）'
    >>> growth(66.16, 65.22, word="points", digits=2).phrase.zh
    '提高 0.94 个百分点'
    """
    if word not in WORDS:
        raise UsageError(
            Text(f"没有增长用语“{word}”", f"there is no growth word {word!r}"),
            where="growth(word=…)",
            mend=Text(f"可选：{'、'.join(WORDS)}", f"choose one of: {', '.join(WORDS)}"),
        )
    if not np.isfinite([now, before]).all():
        raise UsageError(
            Text("增长计算缺一端的数", "growth needs both numbers"),
            where=f"growth({now}, {before})",
            mend=Text("两期都有数才计算", "compute it only where both periods reported"),
        )
    ends = _AGAINST[word]
    if word == "points":
        return _points(now, before, ends, digits)
    if before <= 0:
        return Growth(
            word,
            None,
            now,
            before,
            Text("基数不为正，不计算增速", "no rate: the base is not positive"),
            _rate_formula(ends, now, before, None, digits),
        )
    if now < 0:
        return Growth(
            word,
            None,
            now,
            before,
            Text("由正转负，不计算增速", "no rate: it turned from positive to negative"),
            _rate_formula(ends, now, before, None, digits),
        )
    rate = (now / before - 1) * 100
    if word == "times":
        return _times(now, before, ends, rate, digits)
    verb = _verb(rate, digits)
    size = f"{abs(rate):,.{digits}f}%"
    flat = round(rate, digits) == 0
    return Growth(
        word,
        rate,
        now,
        before,
        Text(
            f"{WORDS[word].zh}{verb.zh}" + ("" if flat else f" {size}"),
            f"{verb.en} " + ("" if flat else f"{size} ") + WORDS[word].en,
        ),
        _rate_formula(ends, now, before, rate, digits),
    )


def growth_each(now: ArrayLike, before: ArrayLike) -> np.ndarray:
    """Give growth in per cent of each pair; NaN where one is missing or the base is not positive."""
    later, earlier = np.asarray(now, dtype=float), np.asarray(before, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(earlier > 0, (later / earlier - 1) * 100, np.nan)


def times_to_pct(times: float) -> float:
    """Give what 增长 X 倍 is in per cent: +X×100%."""
    return times * 100


def mean_rate_pct(now: float, before: float, n_periods: int) -> float | None:
    """Give the mean growth a period (年均增长): the rate that, compounded, leads from one to the other.

    None where either is not positive or no period lies between.

    Examples
    --------
    >>> round(mean_rate_pct(121, 100, 2), 6)
    10.0
    """
    if now <= 0 or before <= 0 or n_periods < 1:
        return None
    return float(((now / before) ** (1 / n_periods) - 1) * 100)


def _points(now: float, before: float, ends: tuple[Text, Text], digits: int) -> Growth:
    difference = now - before
    flat = round(difference, digits) == 0
    zh = "提高" if difference > 0 else "下降"
    en = "up" if difference > 0 else "down"
    size = f"{abs(difference):,.{digits}f}"
    return Growth(
        "points",
        difference,
        now,
        before,
        Text(
            "持平" if flat else f"{zh} {size} 个百分点",
            "unchanged" if flat else f"{en} {size} percentage points",
        ),
        Text(
            f"{ends[0].zh} − {ends[1].zh} = {now:,.2f}% − {before:,.2f}% = "
            f"{difference:+,.{digits}f} 个百分点",
            f"{ends[0].en} − {ends[1].en} = {now:,.2f}% − {before:,.2f}% = "
            f"{difference:+,.{digits}f} percentage points",
        ),
    )


def _times(now: float, before: float, ends: tuple[Text, Text], rate: float, digits: int) -> Growth:
    formula = _rate_formula(ends, now, before, rate, digits)
    if rate < 0:
        down = Text(f"下降 {-rate:,.{digits}f}%", f"down {-rate:,.{digits}f}%")
        note = Text("；下降不用“倍”", "; a fall is never told in 倍")
        return Growth(
            "times", None, now, before, Text(down.zh + note.zh, down.en + note.en), formula
        )
    return Growth(
        "times",
        rate / 100,
        now,
        before,
        Text(
            f"增长 {rate / 100:,.{digits}f} 倍（即增长 {rate:,.{digits}f}%）",
            f"grew {rate / 100:,.{digits}f} times over, that is by {rate:,.{digits}f}% "
            f"(to {now / before:,.{digits}f} times the base)",
        ),
        formula,
    )


def _verb(rate: float, digits: int) -> Text:
    if round(rate, digits) == 0:
        return Text("持平", "unchanged")
    return Text("增长", "up") if rate > 0 else Text("下降", "down")


def _rate_formula(
    ends: tuple[Text, Text], now: float, before: float, rate: float | None, digits: int
) -> Text:
    result = "" if rate is None else f" = {rate:+,.{digits}f}%"
    numbers = f"({now:,.10g} ÷ {before:,.10g} − 1) × 100%{result}"
    return Text(
        f"（{ends[0].zh} ÷ {ends[1].zh} − 1）× 100% = {numbers}",
        f"({ends[0].en} ÷ {ends[1].en} − 1) × 100% = {numbers}",
    )
