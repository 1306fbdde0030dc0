"""The list of editions: the newest, the newest complete one, and what each was superseded by."""

from __future__ import annotations

import re
from pathlib import Path

from cps.report.editions import ListedEdition, editions_links, render_editions, write_editions

from .test_pages import flat


def edition(folder: str, n_failures: int = 0, as_of: str | None = "2024-12-31") -> ListedEdition:
    """Give an edition of 15 initiatives."""
    return ListedEdition(
        folder=folder,
        as_of=as_of,
        data_sha256="ab" * 32,
        cps_version="0.1.0",
        n_initiatives=15,
        n_failures=n_failures,
        is_complete=n_failures == 0,
        is_synthetic=True,
    )


OLD, WHOLE, NEW = "20260925T020000Z", "20261025T020000Z", "20261125T020000Z"
LISTED = [edition(OLD, as_of="2024-06-30"), edition(WHOLE), edition(NEW, 2)]


def rows_of(page: str) -> dict[str, str]:
    """Give the text of each row of the table by its edition."""
    cells = flat(page).split("<tbody>")[1].split("</tbody>", maxsplit=1)[0]
    rows = [re.sub(r"<[^>]+>", " ", one).strip() for one in cells.split("</tr>")]
    return {re.split(r"\W", one)[0]: one for one in rows if one}


def test_newest_newest_complete_and_superseded_are_told_apart_in_both_languages() -> None:
    for language, newest, complete, stale in (
        ("zh", "最新，不完整", "最新的完整版", "已过期：2026-10-25起由"),
        ("en", "newest, not complete", "newest complete one", "out of date since 2026-10-25"),
    ):
        rows = rows_of(render_editions(LISTED, language=language))
        assert list(rows) == [NEW, WHOLE, OLD]
        assert newest in rows[NEW]
        assert "13/15" in rows[NEW]
        assert complete in rows[WHOLE]
        assert stale in rows[OLD]
        assert WHOLE in rows[OLD]
        assert "2024-06-30" in rows[OLD]


def test_an_edition_with_failures_points_to_the_newest_complete_one() -> None:
    text = flat(render_editions(LISTED, language="en"))
    assert "of 15 initiatives, 2 failed" in text
    assert re.search(rf"Newest complete one: {WHOLE}", text)
    none = flat(render_editions([edition(NEW, 2)], language="en"))
    assert "no edition yet in which every initiative finished" in none
    all_well = flat(render_editions(LISTED[:2], language="en"))
    assert "all finished" in all_well
    assert "Newest complete one" not in all_well


def test_no_edition_and_no_date_are_said_in_words() -> None:
    assert "还没有发布过任何一版" in flat(render_editions([], language="zh"))
    assert "不详" in flat(render_editions([edition(NEW, as_of=None)], language="zh"))


def test_every_link_of_the_list_leads_somewhere_from_both_places_that_it_lies_in(
    tmp_path: Path,
) -> None:
    for one in LISTED:
        for language in ("zh", "en"):
            page = tmp_path / "runs" / one.folder / language / "index.html"
            page.parent.mkdir(parents=True)
            page.write_text("", encoding="utf-8")
    written = write_editions(LISTED, tmp_path)
    names = {one.relative_to(tmp_path).as_posix() for one in written}
    assert names == {"index.html", "index.en.html", "runs/index.html", "runs/index.en.html"}
    for page in written:
        links = set(re.findall(r'href="([^"]+)"', page.read_text(encoding="utf-8")))
        assert len(links) == 4
        for link in links:
            assert (page.parent / link).exists(), (page, link)


def test_a_page_reaches_the_list_by_its_own_path_and_through_latest(tmp_path: Path) -> None:
    write_editions(LISTED, tmp_path)
    for language, link in editions_links(("zh", "en")).items():
        for place in (tmp_path / "runs" / NEW / language, tmp_path / "latest" / language):
            # A browser shortens the path by its letters and does not follow symbolic links.
            parts = [*place.relative_to(tmp_path).parts[:-2], link.removeprefix("../../")]
            assert (tmp_path.joinpath(*parts)).exists()


def test_with_one_language_the_folder_still_opens_with_the_list(tmp_path: Path) -> None:
    write_editions(LISTED, tmp_path, languages=("en",))
    assert (tmp_path / "index.html").read_bytes() == (tmp_path / "index.en.html").read_bytes()
