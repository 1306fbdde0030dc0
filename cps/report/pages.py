"""Pages of several runs at once, finished or failed: a list of folders in, files out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cps.errors import Text
from cps.report.editions import editions_links
from cps.report.failure import write_failure
from cps.report.render import NO_LINKS, OFFERED, write_report
from cps.runs import load_run
from cps.runs.failures import load_failure


def render_pages(
    run_folders: Sequence[Path | str],
    out: Path | str,
    languages: Sequence[str] = OFFERED,
    *,
    overview: Path | str | None = None,
    names: Mapping[str, Text] | None = None,
    last_good: Mapping[str, tuple[Path | str, str]] | None = None,
    has_editions: bool = True,
) -> list[Path]:
    """Write the pages of some runs of one edition; any split of them over processes will do.

    Parameters
    ----------
    run_folders : sequence of path
        Each holds ``run.json``, or ``failure.json`` of a run that failed.
    out : path
        The edition's folder; pages go to ``out/<language>/``.
    languages : sequence of str
    overview : path or None
        Folder of the edition's overview run, to tell how far the data go where a run failed.
    names : mapping of id to Text
        Names of the initiatives that failed.
    last_good : mapping of id to (folder, edition)
        Of the initiatives that failed: the last finished run, and the edition it comes from.
    has_editions : bool
        True if the list of editions will lie above the folder, so that pages link to it.

    Returns
    -------
    list of Path

    Raises
    ------
    RunError
        If a run is missing, of another schema, or damaged.
    """
    links = editions_links(languages) if has_editions else NO_LINKS
    written = []
    for folder in map(Path, run_folders):
        if (folder / "run.json").exists() or not (folder / "failure.json").exists():
            written += write_report(load_run(folder), out, languages=languages, editions_href=links)
            continue
        failure = load_failure(folder)
        before, edition = (last_good or {}).get(failure.name, (None, ""))
        written += write_failure(
            failure,
            out,
            languages=languages,
            name=(names or {}).get(failure.name),
            last_good=load_run(before) if before is not None else None,
            last_edition=edition,
            overview=load_run(overview) if overview is not None else None,
            editions_href=links,
        )
    return written
