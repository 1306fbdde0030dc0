"""The figures of the pages: pure functions of plain data and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cps.figures.svg import FONT

if TYPE_CHECKING:
    import altair as alt

Row = Mapping[str, Any]
BLUE, ORANGE, GREY, INK = "#1f5a96", "#b4530a", "#8a8f98", "#1c2330"
WIDTH = 600


def event_study(rows: Sequence[Row], *, x: str, y: str, start: str, mark: str) -> alt.Chart:
    """Draw effects by event time with their intervals, the zero line and the start.

    Parameters
    ----------
    rows : sequence of {event_time, att, low, high}
        In the unit of the axis; ``low`` and ``high`` may be None.
    x, y : str
        Titles of the axes, with units.
    start, mark : str
        The word at the start line; the synthetic mark, or empty.
    """
    import altair as alt

    base = alt.Chart(_data(rows))
    times = [row["event_time"] for row in rows]
    around = alt.Scale(domain=[min(times) - 0.6, max(times) + 0.6], nice=False)
    place = alt.X(
        "event_time:Q", title=x, scale=around, axis=alt.Axis(tickMinStep=1, format="d", grid=False)
    )
    layers = [
        _zero(),
        _start_line(-0.5, start),
        base.mark_rule(color=BLUE, strokeWidth=2).encode(
            x=place, y=alt.Y("low:Q", title=y), y2="high:Q"
        ),
        base.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(
            x=place, y=alt.Y("att:Q", title=y)
        ),
    ]
    return _finished(alt.layer(*layers), mark=mark, height=280)


def paths(
    rows: Sequence[Row], *, names: tuple[str, str], y: str, starts: Sequence[str], mark: str
) -> alt.Chart:
    """Draw the treated units as observed and as they would have been.

    Parameters
    ----------
    rows : sequence of {label, observed, counterfactual}
    names : (str, str)
        What the two lines are.
    starts : sequence of str
        Labels of the periods in which units started.
    """
    import altair as alt

    long = [
        {"label": row["label"], "who": name, "value": row[key]}
        for key, name in zip(("observed", "counterfactual"), names, strict=True)
        for row in rows
        if row[key] is not None
    ]
    # Named one by one: the layer of starts, drawn first, would put its own labels first.
    order = list(dict.fromkeys(str(row["label"]) for row in rows))
    place = alt.X("label:O", title=None, sort=order, axis=alt.Axis(labelAngle=0, labelOverlap=True))
    color = alt.Color(
        "who:N",
        sort=list(names),
        scale=alt.Scale(domain=list(names), range=[BLUE, ORANGE]),
        legend=alt.Legend(title=None, orient="top", labelLimit=320, symbolStrokeWidth=2),
    )
    dash = alt.StrokeDash(
        "who:N",
        sort=list(names),
        scale=alt.Scale(domain=list(names), range=[[1, 0], [6, 4]]),
        legend=None,
    )
    line = alt.Chart(_data(long)).mark_line(strokeWidth=2.4, point={"size": 36, "filled": True})
    began = (
        alt.Chart(_data([{"label": one} for one in starts]))
        .mark_rule(color=GREY, strokeDash=[3, 3])
        .encode(x=place)
    )
    drawn = line.encode(
        x=place,
        y=alt.Y("value:Q", title=y, scale=alt.Scale(zero=False, nice=True)),
        color=color,
        strokeDash=dash,
    )
    return _finished(alt.layer(began, drawn), mark=mark, height=280)


def placebo_distribution(
    placebos: Sequence[float], estimate: float, *, x: str, y: str, name: str, mark: str
) -> alt.Chart:
    """Draw placebo effects as a histogram and the estimate as a line through it."""
    import altair as alt

    bars = (
        alt.Chart(_data([{"value": one} for one in placebos]))
        .mark_bar(color="#c3cad4", stroke="#ffffff")
        .encode(
            x=alt.X("value:Q", bin=alt.Bin(maxbins=30), title=x),
            y=alt.Y("count():Q", title=y, axis=alt.Axis(tickMinStep=1, format="d")),
        )
    )
    here = alt.Chart(_data([{"value": estimate, "name": name}]))
    rule = here.mark_rule(color=ORANGE, strokeWidth=3).encode(x=alt.X("value:Q", title=x))
    label = here.mark_text(
        align="left", dx=6, dy=8, baseline="top", color=ORANGE, fontWeight="bold"
    ).encode(x=alt.X("value:Q", title=x), y=alt.value(0), text="name:N")
    return _finished(alt.layer(bars, rule, label), mark=mark, height=220)


def forest(rows: Sequence[Row], *, x: str, mark: str) -> alt.Chart:
    """Draw estimates with intervals, one line a name, in the order given; the zero line with them.

    Parameters
    ----------
    rows : sequence of {name, att, low, high}
        ``att`` may be None: the name stays, so that nothing is lost from sight.
    """
    import altair as alt

    order = [row["name"] for row in rows]
    base = alt.Chart(_data(rows))
    place = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=240, grid=True))
    bar = base.mark_rule(color=BLUE, strokeWidth=2.4).encode(
        y=place, x=alt.X("low:Q", title=x), x2="high:Q"
    )
    dot = base.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(
        y=place, x=alt.X("att:Q", title=x)
    )
    zero = alt.Chart(_data([{"zero": 0}])).mark_rule(color=INK).encode(x=alt.X("zero:Q", title=x))
    return _finished(alt.layer(zero, bar, dot), mark=mark, height=26 * len(rows) + 10, width=430)


def sensitivity(rows: Sequence[Row], *, x: str, y: str, mark: str) -> alt.Chart:
    """Draw how an interval widens as more departure from an assumption is allowed.

    Parameters
    ----------
    rows : sequence of {allowed, low, high}
    """
    import altair as alt

    base = alt.Chart(_data(rows))
    shown = [row["allowed"] for row in rows]
    place = alt.X(
        "allowed:Q",
        title=x,
        scale=alt.Scale(domain=[min(shown) - 0.15, max(shown) + 0.15], nice=False),
        axis=alt.Axis(grid=False, values=shown),
    )
    bar = base.mark_rule(color=BLUE, strokeWidth=3).encode(
        x=place, y=alt.Y("low:Q", title=y), y2="high:Q"
    )
    ends = [
        base.mark_tick(color=BLUE, thickness=3, size=16, orient="horizontal").encode(
            x=place, y=alt.Y(f"{end}:Q", title=y)
        )
        for end in ("low", "high")
    ]
    return _finished(alt.layer(_zero(), bar, *ends), mark=mark, height=220)


def level_lines(rows: Sequence[Row], *, y: str, mark: str) -> alt.Chart:
    """Draw yearly levels of several series from a zero base.

    Parameters
    ----------
    rows : sequence of {year, name, value}
    """
    import altair as alt

    names = list(dict.fromkeys(row["name"] for row in rows))
    dashes = [[1, 0], [6, 4], [2, 2], [8, 3, 2, 3], [1, 3], [4, 1]]
    line = (
        alt.Chart(_data(rows))
        .mark_line(strokeWidth=2.4, point={"size": 36, "filled": True})
        .encode(
            x=alt.X("year:O", title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("value:Q", title=y, scale=alt.Scale(zero=True)),
            color=alt.Color(
                "name:N",
                sort=names,
                scale=alt.Scale(
                    domain=names, range=[BLUE, ORANGE, GREY, INK, "#2e7d5b", "#7a4fa3"]
                ),
                legend=alt.Legend(title=None, orient="top", labelLimit=300, columns=3),
            ),
            strokeDash=alt.StrokeDash(
                "name:N",
                sort=names,
                scale=alt.Scale(domain=names, range=dashes[: len(names)]),
                legend=None,
            ),
        )
    )
    return _finished(line, mark=mark, height=260)


def _data(rows: Sequence[Row]) -> Any:
    import altair as alt

    return alt.Data(values=[dict(row) for row in rows])


def _zero() -> Any:
    import altair as alt

    return alt.Chart(_data([{"zero": 0}])).mark_rule(color=INK).encode(y="zero:Q")


def _start_line(place: float, name: str) -> Any:
    import altair as alt

    here = alt.Chart(_data([{"place": place, "name": name}]))
    rule = here.mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="place:Q")
    text = here.mark_text(align="left", dx=5, baseline="top", color="#5a616c").encode(
        x="place:Q", y=alt.value(2), text="name:N"
    )
    return alt.layer(rule, text)


def _finished(chart: Any, *, mark: str, height: int, width: int = WIDTH) -> Any:
    import altair as alt

    if mark:
        title = alt.TitleParams(mark, anchor="end", color="#a3262b", fontSize=12, fontWeight="bold")
        chart = chart.properties(title=title)
    return (
        chart.properties(width=width, height=height)
        .configure(font=FONT, background="#ffffff")
        .configure_axis(
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            labelColor="#3a4150",
            titleColor="#3a4150",
            gridColor="#e6e9ee",
            domainColor="#9aa1ad",
            tickColor="#9aa1ad",
        )
        .configure_legend(labelFontSize=12)
        .configure_view(stroke=None)
    )
