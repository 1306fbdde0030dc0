"""From a chart to inline SVG: no script, no address, text that every machine can show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from cps.figures.drawing import draw, draw_plainly

Spec: TypeAlias = Mapping[str, Any]  # Vega-Lite, with inline data

FONT = "Noto Sans SC"
FONTS = (
    "Noto Sans SC, Noto Sans CJK SC, Microsoft YaHei, PingFang SC, Source Han Sans SC, sans-serif"
)
_ID = re.compile(r'(id="|url\(#|href="#)((?:clip|gradient|mark|symbol)[^")]*)')


def to_svg(chart: Any, *, label: str, key: str) -> str:
    """Render a chart as SVG for a page.

    Parameters
    ----------
    chart : Spec or altair chart
        One of :mod:`cps.figures.charts`, or a section's own.
    label : str
        Text alternative.
    key : str
        Unique on the page: several drawings share it, and their ids must not meet.
    """
    _register_font()
    svg = draw(chart) if isinstance(chart, Mapping) else draw_plainly(chart.to_dict())
    svg = _ID.sub(lambda match: f"{match[1]}{key}-{match[2]}", svg)
    svg = svg.replace(f'font-family="{FONT}"', f'font-family="{FONTS}"')
    width, height = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg).groups()  # type: ignore[union-attr]
    head = f'<svg role="img" aria-label="{_escaped(label)}" style="width:{width}px;max-width:100%"'
    return re.sub(r"^<svg", head, svg, count=1).replace(f'width="{width}" height="{height}"', "", 1)


def _escaped(text: str) -> str:
    for raw, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(raw, safe)
    return text


@lru_cache(maxsize=1)
def _register_font() -> None:
    import importlib.util

    import vl_convert

    # The package carries the font file; importing it would bring matplotlib along.
    spec = importlib.util.find_spec("zhplot")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("zhplot, which carries the font of the figures")
    vl_convert.register_font_directory(str(Path(spec.origin).parent / "fonts"))
