"""From a saved run to one self-contained page a language."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cps.dropin import load_modules, module_names
from cps.errors import RunError, Text, UsageError
from cps.locale import FOLDER as LOCALES
from cps.locale import Content, Message, Part, Quantity, Words, load_words
from cps.provenance import write_text
from cps.report.blocks import Block, Facts, Figure, Heading, Paragraph, Table
from cps.runs import Run

SECTIONS = Path(__file__).parent / "sections"
PACKAGE = "cps.report.sections"
_HERE = Path(__file__).parent
_OFFERED = ("zh", "en")


def render_report(
    run: Run,
    *,
    language: str = "zh",
    languages: Sequence[str] = _OFFERED,
    sections: Path | None = None,
    locales: Path | None = None,
) -> str:
    """Render a run as one HTML page that needs nothing but itself.

    Parameters
    ----------
    run : Run
    language : str
        Language of the page.
    languages : sequence of str
        Languages that the page is offered in, linked from it.
    sections, locales : Path or None
        Folders with further sections and languages.

    Returns
    -------
    str
        HTML without scripts or addresses; everything that came with the data is escaped.

    Raises
    ------
    UsageError
        If there is no such language, or a text is missing or has two homes.
    """
    modules = _modules(sections)
    prose = {name: module.TEXT for name, module in modules.items()}
    folder = locales or LOCALES
    words = load_words(language, sections=prose, folder=folder)
    page = "overview" if run.kind == "overview" else "initiative"
    blocks = [
        block
        for module in sorted(modules.values(), key=lambda one: (one.ORDER, one.__name__))
        if module.PAGE in (page, "both")
        for block in module.build(run)
    ]
    mark = words.say("page.synthetic_mark") if run.is_synthetic else ""
    others = [load_words(one, folder=folder) for one in languages if one != language]
    name = page_name(run)
    return _template().render(
        tag=words.tag,
        title=_title(run, words),
        kicker=words.say("page.title"),
        css=_safe(_HERE / "page.css"),
        mark=mark,
        banner=words.say("page.synthetic_banner"),
        index_href="index.html" if run.subject and name != "index.html" else "",
        index_word=words.say("page.index"),
        others=[
            {"href": f"../{one.language}/{name}", "tag": one.tag, "name": one.name}
            for one in others
        ],
        blocks=_Writer(words, mark).written(blocks),
        source_word=words.say("page.source"),
        note_word=words.say("page.note"),
        source=words.text(Message("page.source_text", {"run": run.manifest.run_hash[:12]})),
    )


def write_report(
    run: Run,
    folder: Path | str,
    *,
    languages: Sequence[str] = _OFFERED,
    sections: Path | None = None,
    locales: Path | None = None,
) -> list[Path]:
    """Write a run's pages to ``folder/<language>/``: ``<name>.html``, or ``index.html``.

    Each page is written aside and renamed.

    Returns
    -------
    list of Path
        One a language.
    """
    written = []
    for language in languages:
        html = render_report(
            run, language=language, languages=languages, sections=sections, locales=locales
        )
        path = Path(folder) / language / page_name(run)
        write_text(path, html)
        written.append(path)
    return written


def page_name(run: Run) -> str:
    """Give the file name of a run's page.

    Raises
    ------
    RunError
        If the run's name can't be one: pages are named by ids, never by names from the data.
    """
    if run.kind == "overview":
        return "index.html"
    if not run.name or set(run.name) & set('/\\:*?"<>|\0\n') or run.name.startswith("."):
        raise RunError(
            Text(f"“{run.name}”不能用作页面文件名", f"{run.name!r} can't name a page"),
            where="run.name",
            mend=Text("改用字母、数字和下划线", "use letters, digits and underscores"),
        )
    return f"{run.name}.html"


def _title(run: Run, words: Words) -> str:
    if run.kind == "overview":
        return words.say("page.index")
    if run.subject:
        return words.text(Text(run.subject["name"]["zh"], run.subject["name"]["en"]))
    return words.text(run.name)


def _modules(folder: Path | None) -> dict[str, ModuleType]:
    found = load_modules(PACKAGE, SECTIONS)
    for name in module_names(folder) if folder else []:
        if name in found:
            raise UsageError(
                Text(f"已有名为“{name}”的章节", f"there is a section named {name!r} already"),
                where=str(folder),
                mend=Text("换一个文件名", "choose another file name"),
            )
        spec = importlib.util.spec_from_file_location(name, Path(folder or "") / f"{name}.py")
        if spec is None or spec.loader is None:
            raise ImportError(name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[name] = module
    return found


def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("page.html.j2")


def _safe(path: Path) -> Any:
    from markupsafe import Markup

    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704 - the package's own style sheet


@dataclass(frozen=True, slots=True)
class _Cell:
    parts: list[Part]
    is_number: bool
    unit: str = ""


class _Writer:
    """Blocks to what the template prints, numbering figures and tables on the way."""

    def __init__(self, words: Words, mark: str) -> None:
        self._words = words
        self._mark = mark
        self._n_tables = 0
        self._n_figures = 0
        self._n_headings = 0

    def written(self, blocks: Sequence[Block]) -> list[Mapping[str, Any]]:
        return [self._block(block) for block in blocks]

    def _block(self, block: Block) -> Mapping[str, Any]:
        if isinstance(block, Heading):
            self._n_headings += 1
            parts = self._parts(block.content)
            return {"kind": "heading", "id": f"s{self._n_headings}", "parts": parts}
        if isinstance(block, Paragraph):
            return {"kind": "paragraph", "tone": block.tone, "parts": self._parts(block.content)}
        if isinstance(block, Facts):
            rows = [(self._parts(name), self._parts(value)) for name, value in block.rows]
            return {"kind": "facts", "rows": rows}
        return self._table(block) if isinstance(block, Table) else self._figure(block)

    def _table(self, table: Table) -> Mapping[str, Any]:
        self._n_tables += 1
        words = self._words
        numeric = [column.kind is not None for column in table.columns]
        cut = None
        if len(table.rows) > table.most:
            shown = {
                "total": Quantity(len(table.rows), "count"),
                "shown": Quantity(table.most, "count"),
            }
            cut = self._parts(Message("page.cut", shown))
        return {
            "kind": "table",
            "label": words.text(Message("page.table", {"n": Quantity(self._n_tables, "count")})),
            "caption": self._parts(table.caption),
            "heads": [
                _Cell(
                    self._parts(column.head),
                    column.kind is not None,
                    words.unit(column.kind, column.unit) if column.kind else "",
                )
                for column in table.columns
            ],
            "rows": [
                [
                    _Cell(list(words.parts(cell, in_cell=is_number)), is_number)
                    for cell, is_number in zip(row, numeric, strict=True)
                ]
                for row in table.rows[: table.most]
            ],
            "note": self._parts(table.note) if table.note is not None else None,
            "cut": cut,
        }

    def _figure(self, figure: Figure) -> Mapping[str, Any]:
        from markupsafe import Markup

        from cps.figures.svg import to_svg

        self._n_figures += 1
        words = self._words
        chart = figure.draw(words, self._mark)
        svg = to_svg(chart, label=words.text(figure.caption), key=f"f{self._n_figures}")
        return {
            "kind": "figure",
            "label": words.text(Message("page.figure", {"n": Quantity(self._n_figures, "count")})),
            "caption": self._parts(figure.caption),
            "svg": Markup(svg),  # noqa: S704 - drawn by vl-convert, which escapes its text
            "note": self._parts(figure.note) if figure.note is not None else None,
        }

    def _parts(self, content: Content) -> list[Part]:
        return list(self._words.parts(content))
