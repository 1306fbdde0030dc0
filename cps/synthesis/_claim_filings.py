"""A stated figure against what its firm filed: right metric, other metric, other period, sign."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from cps.errors import Text
from cps.facts import Comparator
from cps.synthesis._claim_measurement import Measurement, join, nothing
from cps.synthesis._claim_words import decimals_of, unit_of
from cps.synthesis.claim_file import Claim, Filing

_GROWTH = "_growth"


def are_same_figure(one: Decimal, other: Decimal) -> bool:
    """Say whether two stated figures agree at the coarser of their two precisions.

    A figure stated to fewer decimals may be the other one rounded; 0 agrees with nothing but 0.

    Examples
    --------
    >>> are_same_figure(Decimal("211.70"), Decimal("211.7"))
    True
    >>> are_same_figure(Decimal("212"), Decimal("211.7"))
    True
    >>> are_same_figure(Decimal("211.8"), Decimal("211.7"))
    False
    """
    decimals = min(decimals_of(one), decimals_of(other))
    step = Decimal(1).scaleb(-decimals)
    rounded = [each.quantize(step, rounding=ROUND_HALF_UP) for each in (one, other)]
    return rounded[0] == rounded[1] and (one == 0) == (other == 0)


def against_filings(claim: Claim, filings: Sequence[Filing]) -> Measurement:
    """Compare entity, period, metric and value with every figure known of the entity.

    Returns
    -------
    Measurement
        The filed figure of the same entity, period and metric in the claim's unit, or, for a growth
        rate that was not filed, the range that the filed levels of both years leave. The words say
        which other metric or period the stated number belongs to, or that its sign is turned.
        Nothing is measured where the metric was not filed: a number that fits another metric is
        then only suspicious.
    """
    known = [one for one in filings if one.entity == claim.scope]
    if not known:
        return nothing(f"没有 {claim.scope} 的公开财报数", f"there is no filing of {claim.scope}")
    same = [one for one in known if one.period == claim.filing_period]
    own = next((one for one in same if one.metric == claim.filing_metric), None)
    converted = _in_unit(own, claim.unit) if own is not None else None
    misplaced = _misplaced(claim, known)
    if own is not None and converted is not None:
        words = Text(
            f"财报：{own.period} {own.name.zh} {_figure(own)}，所称为 {_stated(claim)}。",
            f"Filing for {own.period}: {own.name.en} {_figure(own)}, stated {_stated(claim)}.",
        )
        if are_same_figure(converted, claim.value):
            return _at(claim.value if claim.comparator is Comparator.EQUAL else converted, words)
        if are_same_figure(-converted, claim.value):
            turned = Text("数值相同而正负号相反。", "The number is right and its sign is turned.")
            return _at(converted, join(words, turned))
        return _at(converted, join(words, misplaced) if misplaced else words)
    derived = _growth_of_levels(claim, known)
    if derived is not None:
        low, high, words = derived
        middle = (low + high) / 2
        said = join(words, misplaced) if misplaced else words
        return Measurement(float(middle), float(low), float(high), said)
    lacking = Text(
        f"{claim.scope} {claim.filing_period} 的财报数中没有这一指标",
        f"the filings of {claim.scope} for {claim.filing_period} do not hold this metric",
    )
    if misplaced:
        return nothing(
            f"{lacking.zh}；{misplaced.zh.rstrip('。')}，疑为误植",
            f"{lacking.en}; {misplaced.en[0].lower()}{misplaced.en[1:].rstrip('.')}, which is suspicious",
        )
    return nothing(lacking.zh, lacking.en)


def _misplaced(claim: Claim, known: Sequence[Filing]) -> Text | None:
    """Say what else the stated number is: another metric of the period, or another period's."""
    for one in known:
        value = _in_unit(one, claim.unit)
        if value is None or not are_same_figure(value, claim.value):
            continue
        if one.period == claim.filing_period and one.metric != claim.filing_metric:
            return Text(
                f"该数值是{one.name.zh}：指标张冠李戴。",
                f"The number is the {one.name.en}: it was put on the wrong metric.",
            )
    for one in known:
        value = _in_unit(one, claim.unit)
        if value is None or not are_same_figure(value, claim.value):
            continue
        if one.metric == claim.filing_metric and one.period != claim.filing_period:
            return Text(
                f"该数值是 {one.period} 的{one.name.zh}：期间张冠李戴。",
                f"The number is the {one.name.en} of {one.period}: it was put on the wrong period.",
            )
    return None


def _growth_of_levels(
    claim: Claim, known: Sequence[Filing]
) -> tuple[Decimal, Decimal, Text] | None:
    """Give the growth that two filed levels imply; each stands for its range of rounding."""
    metric = claim.filing_metric or ""
    before = _year_before(claim.filing_period or "")
    if not metric.endswith(_GROWTH) or claim.unit != "%" or before is None:
        return None
    level = metric.removesuffix(_GROWTH)
    found = {one.period: one for one in known if one.metric == level}
    now, then = found.get(claim.filing_period or ""), found.get(before)
    if now is None or then is None:
        return None
    sizes = [_in_unit(one, now.unit) for one in (now, then)]
    if sizes[0] is None or sizes[1] is None or sizes[1] <= 0:
        return None
    half = [Decimal(1).scaleb(-decimals_of(one.value)) / 2 for one in (now, then)]
    low = ((sizes[0] - half[0]) / (sizes[1] + half[1]) - 1) * 100
    high = ((sizes[0] + half[0]) / (sizes[1] - half[1]) - 1) * 100
    words = Text(
        f"由财报推算：{now.period} {now.name.zh} {_figure(now)}，{then.period} {_figure(then)}，"
        f"增幅在 {low:+.2f}% 与 {high:+.2f}% 之间，所称为 {_stated(claim)}。",
        f"From the filings: {now.name.en} {_figure(now)} in {now.period}, {_figure(then)} in "
        f"{then.period}, so growth lies between {low:+.2f}% and {high:+.2f}%, stated "
        f"{_stated(claim)}.",
    )
    return low, high, words


def _year_before(period: str) -> str | None:
    found = re.fullmatch(r"(\d{4})(.*)", period)
    return f"{int(found[1]) - 1}{found[2]}" if found else None


def _in_unit(filing: Filing, unit: str) -> Decimal | None:
    """Bring a filed figure to another unit of its kind; None where it has another kind."""
    if filing.unit == unit:
        return filing.value
    ours, theirs = unit_of(unit), unit_of(filing.unit)
    if ours is None or theirs is None or ours[0] != theirs[0]:
        return None
    return filing.value * theirs[1] / ours[1]


def _at(value: Decimal, words: Text) -> Measurement:
    # The decimal that was filed is exact; it is compared as it was stated.
    return Measurement(float(value), float(value), float(value), words, is_exact=True)


def _figure(filing: Filing) -> str:
    return _with_unit(filing.value, filing.unit)


def _stated(claim: Claim) -> str:
    return _with_unit(claim.value, claim.unit)


def _with_unit(value: Decimal, unit: str) -> str:
    return (f"{value:+}%" if unit == "%" else f"{value:,} {unit}").replace("-", "−")
