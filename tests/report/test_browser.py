"""Pages in a real browser: quiet, complete, at phone, desktop and A4 widths."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cps.report.render import write_report
from cps.runs import Run

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
