"""The commands on schemes: what they list, write and refuse, and one run from ledgers to pages."""

from __future__ import annotations

import html as markup
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from cps.__main__ import main
from cps.facts import load_facts
from cps.runs import load_run
from tests.faults._quick import run_cps
from tests.schemes._waiting import EFFECT, N_ALL, N_TREATED, SCHEME, write_waiting_rooms


def test_all_schemes_are_listed_and_those_that_run_name_their_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["schemes", "--lang", "en"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(load_facts().schemes) == 21
    said = {line.split()[0]: line for line in lines}
    assert said["power_checkup"].endswith("cps run --scheme power_checkup")
    assert said["gongfu_projects"].endswith("cps run")
    assert " no " in said["population"]
    assert "cps run" not in said["population"]


def test_cards_are_written_with_values_where_there_are_ledgers(
    scheme_path: Path, ledger_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    ledger_folder.rename(data / "waiting_rooms")
    folders = ["--schemes", str(scheme_path.parent), "--data", str(data)]
    assert main(["schemes", *folders, "--out", str(tmp_path / "cards"), "--lang", "en"]) == 0
    assert "1 of them with values" in capsys.readouterr().out
    page = (tmp_path / "cards" / "zh" / "waiting_rooms.html").read_text(encoding="utf-8")
    assert "一刻钟内叫号率" in page
    assert "合成数据" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["schemes", "--only", "power_chekup"], "power_checkup"),
        (["run", "--scheme", "power_chekup"], "power_checkup"),
        (["run", "--scheme", "power_checkup", "--only", "bonsai"], "--only"),
        (["run", "--scheme", "power_checkup", "--as-of", "2023-12-31"], "--as-of"),
        (["run", "--scheme", "power_checkup", "--outcome", "kwh"], "energy_kwh"),
        (["run", "--scheme", "population"], "can't be put down to any one scheme"),
        (["run", "--scheme", "gongfu_projects"], "without --scheme"),
    ],
)
def test_what_can_not_be_done_is_refused_before_anything_is_read(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    where = ["--out", str(out)] if arguments[0] == "run" else []
    assert main([*arguments, *where, "--lang", "en"]) in (2, 5)
    told = capsys.readouterr().err
    assert said in told
    assert "where:" in told
    assert "mend :" in told
    assert not out.exists()


@dataclass(frozen=True)
class Place:
    """A scheme's file and ledgers, and the folder that its runs go to."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def latest(self) -> Path:
        return self.out / "latest"

    def run(self, *arguments: str) -> str:
        file, data = self.folder / "waiting_rooms.toml", self.folder / "data"
        given = ["--scheme", str(file), "--data", str(data), "--workers", "1", "--lang", "en"]
        done = run_cps(*given, *arguments, out=self.out)
        said = done.stdout + done.stderr
        assert done.exit_code == 0, said
        return said

    def text(self, language: str, name: str) -> str:
        page = (self.latest / language / name).read_text(encoding="utf-8")
        page = re.sub(r"<(style|svg).*?</\1>", "", page, flags=re.DOTALL)
        return markup.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("scheme")
    (folder / "waiting_rooms.toml").write_text(SCHEME, encoding="utf-8")
    (folder / "data").mkdir()
    write_waiting_rooms(folder / "data")
    made = Place(folder)
    made.run()
    return made


@pytest.mark.slow
@pytest.mark.xdist_group("kernels")
class TestWholeRun:
    """In one class so that one run serves all."""

    def test_the_effect_that_was_drawn_lies_in_the_interval(self, place: Place) -> None:
        run = load_run(place.latest / "runs" / "waiting_rooms")
        effect = run.effects[0]
        assert run.design["unit_kind"] == "centre"
        assert run.design["measure"] == effect.measure == "minutes"
        assert (effect.n_treated, effect.n_comparison) == (N_TREATED, N_ALL - N_TREATED)
        assert effect.overall.ci_low < EFFECT < effect.overall.ci_high < 0

    def test_the_overview_holds_the_card_and_every_outcome(self, place: Place) -> None:
        run = load_run(place.latest / "overview")
        assert run.kind == "scheme"
        assert [one["outcome"] for one in run.extra["outcomes"]] == ["wait_minutes", "tickets"]
        assert [one["is_main"] for one in run.extra["outcomes"]] == [True, False]
        adjusted = [one["p_adjusted"] for one in run.extra["outcomes"]]
        single = [one["overall"]["p_value"] for one in run.extra["outcomes"]]
        assert adjusted[0] == pytest.approx(min(1.0, 2 * min(single)))
        assert run.extra["scheme_card"]["is_synthetic"]

    def test_pages_count_in_the_schemes_own_nouns_and_units(self, place: Place) -> None:
        zh, en = place.text("zh", "waiting_rooms.html"), place.text("en", "waiting_rooms.html")
        assert f"{N_TREATED} 个中心已实施，{N_ALL - N_TREATED} 个中心未实施" in zh
        assert f"{N_TREATED} centres reached with {N_ALL - N_TREATED} centres not" in en
        assert "分钟" in zh
        assert "minutes" in en
        for word in ("村", "承办", "经营性收入", "万元"):
            assert word not in zh, word
        for word in ("village", "income", "host", "as a gain"):
            assert word not in en.lower(), word

    def test_the_index_leads_to_the_evaluation_and_marks_what_was_made_up(
        self, place: Place
    ) -> None:
        index = (place.latest / "en" / "index.html").read_text(encoding="utf-8")
        assert 'href="waiting_rooms.html"' in index
        assert "Example waiting rooms" in index
        assert 'class="banner"' in index
        assert "waiting time (main)" in place.text("en", "index.html")

    def test_nothing_is_run_again_until_a_ledger_or_the_schemes_file_changes(
        self, place: Place
    ) -> None:
        assert "nothing changed" in place.run()
        before = load_run(place.latest / "overview").extra["scheme_card"]
        file = place.folder / "waiting_rooms.toml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("limit = 15", "limit = 30"), encoding="utf-8")
        place.run("--langs", "en")
        summary = json.loads((place.out / "summary.json").read_text(encoding="utf-8"))
        assert summary["status"] == "published"
        after = load_run(place.latest / "overview").extra["scheme_card"]
        first = [one["figures"][0]["values"][0]["value"] for one in (before, after)]
        assert first[0] < first[1]

    def test_another_outcome_can_be_asked_for(self, place: Place) -> None:
        place.run("--outcome", "tickets", "--langs", "en")
        run = load_run(place.latest / "runs" / "waiting_rooms")
        assert run.design["measure"] == "count"
        assert "tickets taken" in place.text("en", "waiting_rooms.html")
