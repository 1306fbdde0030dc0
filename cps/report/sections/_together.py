"""Tables and figures of the initiatives as a family: an order never without its rank sets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cps.errors import Text
from cps.locale import Content, Interval, Kind, Link, Message, Quantity, Words, measure_kind
from cps.report.blocks import Column, Figure, Table
from cps.report.sections._common import amount, outcome_name
from cps.runs import Run

if TYPE_CHECKING:
    from cps.figures.svg import Spec

Rows = list[dict[str, Any]]


def level_of(family: dict[str, Any]) -> Quantity:
    """Give the level of all intervals as a whole percentage."""
    return Quantity(round(100 * family["level"], 6), "number", "")


def name_of(row: dict[str, Any]) -> Content:
    """Name an initiative."""
    return Text(row["name_zh"], row["name_en"])


def _linked(row: dict[str, Any]) -> Content:
    return Link(row["page"], name_of(row)) if row["page"] else name_of(row)


def pooled_table(rows: Rows, family: dict[str, Any]) -> Table:
    """List pooled estimates on the scale of pooling and, where translated, in money."""
    scales = [("", *measure_kind(family["measure"]))]
    if any(row["pooled_natural"] is not None for row in rows):
        scales.append(("_natural", *measure_kind(family["natural_measure"])))
    heads = [
        Column(Message(f"together.{name}"), kind, unit)
        for _, kind, unit in scales
        for name in ("shrunk", "interval")
    ]
    return Table(
        Message("together.table"),
        (
            Column(Message("together.name")),
            *heads,
            Column(Message("together.positive"), "share"),
        ),
        tuple(
            (
                _linked(row),
                *(cell for scale in scales for cell in _pooled_cells(row, *scale)),
                Quantity(row["probability_positive"], "share"),
            )
            for row in rows
        ),
        Message("together.table_note" if len(scales) > 1 else "together.table_note_levels"),
    )


def _pooled_cells(
    row: dict[str, Any], ending: str, kind: Kind, unit: str
) -> tuple[Content, Content]:
    low, high = row[f"pooled_low{ending}"], row[f"pooled_high{ending}"]
    return (
        amount(row[f"pooled{ending}"], kind, unit),
        Interval(low, high, kind, unit, is_signed=True),
    )


def ranked_table(rows: Rows, family: dict[str, Any]) -> Table:
    """List adjusted p-values and rank sets, in the order declared."""
    return Table(
        Message("together.ranked"),
        (
            Column(Message("together.name")),
            Column(Message("together.rw"), "p_value"),
            Column(Message("together.bh"), "p_value"),
            Column(Message("together.rank_alone"), "count"),
            Column(Message("together.rank_all"), "count"),
        ),
        tuple(
            (
                _linked(row),
                Quantity(row["adjusted_rw"], "p_value"),
                Quantity(row["adjusted_bh"], "p_value"),
                Interval(row["rank_low"], row["rank_high"], "count"),
                Interval(row["rank_low_all"], row["rank_high_all"], "count"),
            )
            for row in rows
        ),
        Message("together.ranked_note", {"level": level_of(family)}),
    )


def rank_figure(run: Run, rows: Rows, family: dict[str, Any]) -> Figure:
    """Draw the rank sets; an order of the estimates comes with its sets or not at all."""
    is_ordered = not family["tells_nothing"]
    if is_ordered:
        rows = sorted(rows, key=lambda row: (row["rank"] is None, row["rank"] or 0))
    scale: Content = Message("together.ranks_logs")
    if family["measure"] != "log_points":
        scale = Message("together.ranks_levels", {"outcome": outcome_name(run)})
    said: dict[str, Content] = {
        "level": level_of(family),
        "scale": scale,
        "order": Message("together.ranks_order" if is_ordered else "together.ranks_no_order"),
    }
    return Figure(
        Message("together.ranks"),
        partial(_rank_bars, rows, is_ordered),
        Message("together.ranks_note", said),
    )


def _rank_bars(rows: Rows, is_ordered: bool, words: Words, mark: str) -> Spec:
    from cps.figures.ranks import rank_bars

    drawn = []
    for row in rows:
        low, high = row["rank_low_all"], row["rank_high_all"]
        ends: dict[str, Content] = {"low": Quantity(low, "count")}
        if high > low:
            ends["high"] = Quantity(high, "count")
        said = Message(f"together.rank_word{'s' if high > low else ''}", ends)
        drawn.append(
            {
                "name": words.text(name_of(row)),
                "low": low,
                "high": high,
                "rank": row["rank"] if is_ordered else None,
                "words": words.text(said),
            }
        )
    return rank_bars(drawn, x=words.say("together.rank_axis"), mark=mark)


def pooled_figure(run: Run, rows: Rows, family: dict[str, Any]) -> Figure:
    """Draw each estimate alone and pooled."""
    note = Message("together.figure_note", {"level": level_of(family)})
    return Figure(Message("together.figure"), partial(_forest, run, rows, family), note)


def _forest(run: Run, rows: Rows, family: dict[str, Any], words: Words, mark: str) -> Spec:
    from cps.figures.ranks import pooled_forest

    kind, unit = measure_kind(family["measure"])
    names = words.say("together.alone"), words.say("together.pooled")
    drawn = [
        {
            "name": words.text(name_of(row)),
            "which": which,
            **{
                short: None if row[key] is None else words.axis_value(row[key], kind)
                for short, key in zip(("att", "low", "high"), keys, strict=True)
            },
        }
        for row in rows
        for which, keys in zip(
            names, (("att", "low", "high"), ("pooled", "pooled_low", "pooled_high")), strict=True
        )
    ]
    said = {"outcome": outcome_name(run), "unit": words.unit(kind, unit)}
    return pooled_forest(
        drawn, names=names, x=words.text(Message("chart.effect_on", said)), mark=mark
    )
