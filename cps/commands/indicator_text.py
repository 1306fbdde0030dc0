"""Readings of indicators as lines of a terminal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from cps.errors import Text

if TYPE_CHECKING:
    from cps.indicators.record import Reading
    from cps.indicators.survey import Survey
    from cps.locale import Words

_SYNTHETIC = Text(
    "合成数据：为演示方法而编造，不代表任何真实村庄",
    "Synthetic data: made up to show the method, and describing no real village",
)
_IN_UNIT = ("without_largest_unit",)  # parts in the unit of the reading itself
_IN_MONEY = ("total", "base_total")  # parts in 元, where the outcome is


def readings_text(found: Survey, without: dict[str, Any], lang: str, *, is_synthetic: bool) -> str:
    """Write readings as lines: value, dates, coverage, then formula, basis, parts and notes.

    Parameters
    ----------
    found : Survey
    without : dict
        As ``without_initiatives`` gives it; empty if that was not asked.
    lang : str
    is_synthetic : bool
        True puts the mark of made-up data first.
    """
    from cps.report.vocabulary import words_of

    words = words_of(lang)
    lines = [_SYNTHETIC.in_language(lang)] if is_synthetic else []
    everywhere = Text("全部单位", "all units")
    where = found.area or everywhere.in_language(lang)
    base = "" if found.base is None else f"{found.base} → "
    lines.append(f"{where} · {words.texts[f'outcome.{found.outcome}']} · {base}{found.period}")
    for one in found.readings:
        lines.append("")
        lines.append(_line(one, words, lang))
        lines.append(f"    {one.formula.in_language(lang)}")
        lines.append(f"    {one.basis.in_language(lang)}; {one.interval.in_language(lang)}")
        lines += _parts(one, words, lang, is_money=found.outcome.endswith("_yuan"))
        lines += [f"    {note.in_language(lang)}" for note in one.notes]
    if found.absent:
        lines += ["", Text("没有给出：", "Not given:").in_language(lang)]
        lines += [
            f"    {_padded(one.title.in_language(lang), 44)}{one.reason.in_language(lang)}"
            for one in found.absent
        ]
    return "\n".join([*lines, *_without_lines(without, words, lang)])


def _parts(one: Reading, words: Words, lang: str, *, is_money: bool) -> list[str]:
    """Give a reading's parts, and those of the income, as lines."""
    from cps.indicators.part_names import part_name
    from cps.indicators.series_names import named
    from cps.report.sections._indicators import quantity

    def shown(key: str, value: float) -> str:
        if key in _IN_UNIT:
            return words.text(quantity(value, one.unit))
        if is_money and key in _IN_MONEY:
            return words.text(quantity(value, "yuan"))
        return f"{value:.0f}" if key.endswith("_period") else _short(value)

    parts = [
        f"{part_name(key).in_language(lang)} {shown(key, value)}"
        for key, value in one.parts.items()
        if value is not None
    ]
    shares = [
        f"{named([str(part)]).in_language(lang)} {share:.1f}%"
        for part, share in zip(
            one.table.get("part", ()), one.table.get("share_pct", ()), strict=True
        )
    ]
    return [f"    {' · '.join(line)}" for line in (parts, shares) if line]


def _line(one: Reading, words: Words, lang: str) -> str:
    from cps.locale import Interval
    from cps.report.sections._indicators import quantity

    number = quantity(one.value, one.unit)
    ends = [quantity(end, one.unit) for end in (one.ci_low, one.ci_high)]
    value = words.text(number)
    if one.ci_low is not None:
        value += f" [{words.text(Interval(ends[0].value, ends[1].value, ends[0].kind))}]"
    span = one.period_label if one.base_label is None else f"{one.base_label} → {one.period_label}"
    return (
        _padded(f"{one.title.in_language(lang)}  {one.indicator}", 64)
        + _padded(value, 26)
        + _padded(span, 14)
        + f"{one.n_reported}/{one.n_units}"
    )


def _without_lines(without: dict[str, Any], words: Words, lang: str) -> list[str]:
    from cps.locale import Interval
    from cps.report.sections._indicators import quantity

    found = without.get("counterfactual")
    if not found:
        return []
    title = Text("若没有这些项目的分布", "The distribution without the initiatives")
    lines = ["", title.in_language(lang)]
    if "why_not" in found:
        return [*lines, f"    {found['why_not'][lang]}"]
    heads = Text("实际 / 若无项目 [区间]", "as it was / without [interval]").in_language(lang)
    for year in found["years"]:
        lines.append(f"  {year['period_label']}  {heads}")
        for row in year["rows"]:
            ends = [quantity(row[f"without_{end}"], row["unit"]) for end in ("low", "high")]
            between = words.text(Interval(ends[0].value, ends[1].value, ends[0].kind))
            both = [
                words.text(quantity(row[name], row["unit"])) for name in ("observed", "without")
            ]
            lines.append(
                f"    {_padded(row['title'][lang], 44)}{_padded(both[0], 20)}{both[1]} [{between}]"
            )
    return [*lines, *(f"    {one[lang]}" for one in found["notes"])]


def _padded(text: str, width: int) -> str:
    """Fill with blanks up to a width in columns of a terminal; a wide character takes two."""
    taken = sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
    return text + " " * max(width - taken, 1)


def _short(value: float) -> str:
    """Write a number of any size with four digits at least, and never as a power of ten."""
    written = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return written.replace("-", "−")
