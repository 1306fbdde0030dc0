"""Pages in a real browser: quiet, complete, at phone, desktop and A4 widths."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cps.errors import Text
from cps.report.editions import ListedEdition, editions_links, write_editions
from cps.report.failure import write_failure
from cps.report.render import write_report
from cps.runs import Failure, Run

from .conftest import initiative

MakeRun = Callable[..., Run]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium: .ci/run installs it")
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(run_of: MakeRun, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    run = run_of(subject=initiative("特别长的项目名称" * 10))
    return write_report(run, tmp_path_factory.mktemp("页面"))


@pytest.fixture(scope="module")
def site(run_of: MakeRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out a folder of reports: two editions, a failure in the newer one, ``latest``."""
    out = tmp_path_factory.mktemp("报告 all")
    stamps = ("20261025T020000Z", "20261125T020000Z")
    before = run_of(subject=initiative())
    for stamp in stamps:
        edition = out / "runs" / stamp
        (edition / "notebooks").mkdir(parents=True)
        (edition / "notebooks" / "case.ipynb").write_text("{}", encoding="utf-8")
        overview = dataclasses.replace(before, kind="overview", name="overview")
        write_report(overview, edition, editions_href=editions_links())
    message = Text(
        "/very/long/path" * 20 + "\n位置: D17", "no/space/at/all" * 20 + "\n  where: D17"
    )
    failure = Failure("case", message, "crashed", cell=4, tail="x" * 300)
    write_failure(
        failure,
        edition,
        name=Text("盆景", "Bonsai"),
        last_good=before,
        last_edition=stamps[0],
        overview=before,
        editions_href=editions_links(),
    )
    listed = [
        ListedEdition(stamp, "2024-12-31", "ab" * 32, "0.1.0", 15, n, n == 0, is_synthetic=True)
        for n, stamp in enumerate(stamps)
    ]
    write_editions(listed, out)
    (out / "latest").symlink_to(Path("runs") / stamps[1])
    return out


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_pages_of_failure_and_the_list_of_editions_are_quiet_and_fit(
    browser: Any, site: Path, width: int
) -> None:
    found = [
        *site.glob("*.html"),
        *site.glob("runs/*.html"),
        *site.glob("runs/*1125*/*/case*.html"),
    ]
    assert len(found) == 8
    for path in found:
        page = browser.new_page(viewport={"width": width, "height": 844})
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("request", lambda request, said=said: said.append(request.url))
        page.goto(path.as_uri())
        assert said == [path.as_uri()]
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        page.close()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("start", ["latest", "runs/20261125T020000Z"])
def test_a_reader_gets_from_a_failure_to_the_editions_and_to_the_last_good_page(
    browser: Any, site: Path, start: str, language: str
) -> None:
    page = browser.new_page()
    failed = site / start / language / "case.html"
    page.goto(failed.as_uri())
    page.click("main a[href$='.stale.html']")
    assert "20261025T020000Z" in page.locator("header .warn").inner_text()
    page.click("header .warn a")
    assert page.url == failed.as_uri()
    page.click("footer a")
    assert page.locator("h1").inner_text() in ("各版目录", "Editions")
    page.click("tbody a >> nth=-2")
    assert page.locator("h1").inner_text() in ("总览", "Overview")
    page.close()


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_a_page_is_quiet_asks_for_nothing_and_fits(
    browser: Any, pages: list[Path], width: int
) -> None:
    for path in pages:
        page = browser.new_page(viewport={"width": width, "height": 844})
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, said=said: said.append(request.url))
        page.goto(path.as_uri())
        assert said == [path.as_uri()]
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        page.close()


def test_the_figures_show_their_words_in_the_pages_language(
    browser: Any, pages: list[Path]
) -> None:
    for path, word in zip(pages, ("启动以来的期数", "periods since the start"), strict=True):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        texts = page.locator("svg text").all_text_contents()
        assert any(word in one for one in texts)
        widths = page.evaluate(
            "[...document.querySelectorAll('svg text')]"
            ".filter(t => t.textContent.trim()).map(t => t.getBBox().width)"
        )
        assert min(widths) > 0
        overlaps = page.evaluate(
            "[...document.querySelectorAll('svg')].map(s => {"
            "const b = s.getBBox(), v = s.viewBox.baseVal;"
            "return b.x < v.x - 2 || b.x + b.width > v.x + v.width + 2})"
        )
        assert not any(overlaps)  # nothing is drawn outside its frame
        page.close()


def test_a_page_prints_on_a4_with_every_section(
    browser: Any, pages: list[Path], tmp_path: Path
) -> None:
    for path in pages:
        page = browser.new_page()
        page.goto(path.as_uri())
        headings = page.locator("h2").all_text_contents()
        target = tmp_path / f"{path.parent.name}.pdf"
        page.pdf(path=str(target), prefer_css_page_size=True)
        page.close()
        said = subprocess.run(
            ["pdfinfo", target], capture_output=True, text=True, check=True
        ).stdout
        assert "A4" in said
        pages_printed = int(said.split("Pages:")[1].split()[0])
        assert 3 <= pages_printed <= 10
        text = subprocess.run(
            ["pdftotext", target, "-"], capture_output=True, text=True, check=True
        )
        flat = "".join(text.stdout.split())
        assert all("".join(one.split()) in flat for one in headings)
