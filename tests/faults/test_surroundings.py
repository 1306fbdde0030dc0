"""Poor surroundings, from locales to networks: a run gives the same bytes, or says what is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults._quick import ROOT, Done, run_cps, tree_bytes
from tests.faults._surroundings import (
    addresses,
    bare,
    full_folders,
    installed_without,
    traced,
    without_fonts,
    without_network,
    write_locale,
)
from tests.faults.conftest import Quick

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults-surroundings")]
PATH = "/usr/bin:/bin"
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - to be filled, in a namespace


def _is_as(done: Done, undisturbed: Done) -> None:
    """Demand that a run went well and gave what a run that was never disturbed gives."""
    said = done.stdout + done.stderr
    assert done.exit_code == 0, said
    assert "Traceback" not in said
    assert "Error" not in said
    assert tree_bytes(done.latest) == tree_bytes(undisturbed.latest)


def _is_refused(done: Done, *words: str) -> None:
    """Demand that a place that can't be used was refused in three parts, and nothing published."""
    assert done.exit_code == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in (*words, "where:", "mend :"):
        assert word in done.stderr
    assert not (done.out / "latest").exists()


# -- locales ------------------------------------------------------------------------------------


def test_f35_a_run_under_the_c_locale_gives_the_same_bytes(
    quick: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    prefix = bare(LC_ALL="C", PATH=PATH, PYTHONPATH=str(ROOT))
    _is_as(quick.run(out=tmp_path / "报告", prefix=prefix), undisturbed)


def test_f36_a_posix_locale_with_utf8_mode_switched_off_is_overruled(
    own: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    poor = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    data = own.data.rename(own.data.with_name("台账"))
    done = run_cps(
        *("--data", data, "--initiatives", own.initiatives, "--notebooks", own.notebooks),
        *("--langs", "zh"),
        out=tmp_path / "报告",
        environment=poor,
    )
    _is_as(done, undisturbed)


def test_f37_under_a_gbk_locale_files_are_utf8_and_the_console_never_stops_a_run(
    quick: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    locales = write_locale(tmp_path / "locales", "zh_CN", "GBK")
    gbk = {"LOCPATH": str(locales), "LC_ALL": "zh_CN.GBK", "PYTHONIOENCODING": "gbk"}
    done = quick.run(out=tmp_path / "报告📊", environment=gbk, lang="zh")
    _is_as(done, undisturbed)
    (said,) = [
        path.read_bytes() for path in (tmp_path / "said").glob("*.out") if path.stat().st_size
    ]
    text = said.decode("gbk")  # what the console shows: readable, the emoji as an escape
    assert "报告（zh）" in text
    assert "\\U0001f4ca" in text
    for page in done.latest.glob("zh/*.html"):
        assert "<title>" in page.read_text(encoding="utf-8")


# -- folders of the user and of the system --------------------------------------------------------


@pytest.mark.parametrize("cold", [(), ("--cold",)], ids=["warm", "cold"])
def test_f38_a_home_that_cannot_be_written_is_not_needed(
    cold: tuple[str, ...], quick: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _is_as(quick.run(*cold, out=out, environment={"HOME": "/proc"}), undisturbed)


def test_f38_nothing_is_written_into_the_home_of_whoever_runs(
    quick: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    _is_as(quick.run(out=tmp_path / "out", environment={"HOME": str(home)}), undisturbed)
    assert not list(home.iterdir())


def test_f39_a_missing_tmpdir_falls_back_to_another_folder(
    quick: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    missing = {"TMPDIR": str(tmp_path / "nonexistent")}
    _is_as(quick.run(out=tmp_path / "out", environment=missing), undisturbed)
    assert not (tmp_path / "nonexistent").exists()


def test_f39_when_every_folder_for_temporary_files_is_full_the_message_names_tmpdir(
    quick: Quick, undisturbed: Done, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keep = tmp_path_factory.getbasetemp()
    prefix = full_folders(*TEMPORARY, keep=keep)
    out = tmp_path / "out"
    done = quick.run(out=out, prefix=prefix)
    _is_refused(done, "TMPDIR", *TEMPORARY, "No space left on device")
    _is_as(quick.run(out=out), undisturbed)  # again without any clean-up


def test_f40_spaces_chinese_emoji_quotes_and_a_leading_dash_are_names_like_others(
    own: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    odd = tmp_path / "目录 空格" / "-rf '引号\" 📁 $HOME;"
    odd.mkdir(parents=True)
    data = odd / "-台账"
    data.mkdir()
    for number, path in enumerate(sorted(own.data.iterdir())):
        name = "-rf.csv" if number == 0 else path.name
        shutil.copyfile(path, data / name)
    initiatives = own.initiatives.rename(odd / "-项目 'x'")
    notebooks = own.notebooks.rename(odd / "-n b 📓")
    done = run_cps(
        *(f"--data={data}", f"--initiatives={initiatives}", f"--notebooks={notebooks}"),
        *("--langs", "zh"),
        out=odd / "out 报告",
    )
    assert done.exit_code == 0, done.stdout + done.stderr
    ours, theirs = tree_bytes(done.latest), tree_bytes(undisturbed.latest)
    assert set(ours) == set(theirs)
    # The ledger's own name is part of what is said of it; no figure hangs on it.
    for name in ("runs/bonsai/design.parquet", "runs/flowers/design.parquet"):
        assert ours[name] == theirs[name]


# -- network and fonts ----------------------------------------------------------------------------


def test_f41_without_a_network_the_bytes_are_the_same_and_nothing_reaches_for_one(
    quick: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    log = tmp_path / "connections.log"
    prefix = (*without_network(has_loopback=True), *traced(log))
    _is_as(quick.run(out=tmp_path / "out", prefix=prefix), undisturbed)
    n_local, reached = addresses(log)
    assert n_local > 10  # the log saw warm process and kernels talk
    assert reached <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("cold", [(), ("--cold",)], ids=["warm", "cold"])
def test_f42_kernels_need_no_loopback_interface(
    cold: tuple[str, ...], quick: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    prefix = without_network(has_loopback=False)
    _is_as(quick.run(*cold, out=tmp_path / "out", prefix=prefix), undisturbed)


def test_f43_without_a_font_on_the_system_pages_are_the_same(
    quick: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    _is_as(quick.run(out=tmp_path / "out", prefix=without_fonts()), undisturbed)


_TWO_PICTURES = """
import hashlib, sys
import vl_convert
if sys.argv[1] == "ours":
    from cps.figures.svg import _register_font
    from cps.figures.svg import FONT
    _register_font()
else:
    FONT = "Noto Sans SC"
for name in ("桃源村", "白沙村"):
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30">'
        f'<text x="5" y="20" font-family="{FONT}" font-size="16">{name}</text></svg>'
    )
    print(hashlib.sha256(vl_convert.svg_to_png(svg)).hexdigest())
"""


def test_f43_two_village_names_give_two_pictures_where_the_system_has_no_font() -> None:
    def pictures(whose: str) -> list[str]:
        done = subprocess.run(
            [*without_fonts(), sys.executable, "-c", _TWO_PICTURES, whose],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return done.stdout.split()

    one, other = pictures("the system's")
    assert one == other  # the fault is there: without our font both are the same
    one, other = pictures("ours")
    assert one != other


# -- versions and schedulers ----------------------------------------------------------------------


def _other_version(folder: Path, name: str, version: str) -> dict[str, str]:
    information = folder / f"{name}-{version}.dist-info"
    information.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (information / "METADATA").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def test_f44_a_library_of_a_wrong_version_is_named_in_one_line_and_nothing_runs(
    quick: Quick, tmp_path: Path
) -> None:
    older = _other_version(tmp_path / "older", "polars", "1.30.0")
    doctor = run_cps(out=tmp_path / "out", command="doctor", environment=older)
    assert doctor.exit_code == 2
    (line,) = [one for one in doctor.stdout.splitlines() if "polars" in one and "✗" in one]
    assert "1.30.0" in line
    assert ">=2.1" in line
    done = quick.run(out=tmp_path / "out", environment=older)
    _is_refused(done, "polars is 1.30.0, must be", "constraints.txt")


def test_f44_a_version_within_the_range_but_untested_is_noted_and_runs_start(
    tmp_path: Path,
) -> None:
    newer = _other_version(tmp_path / "newer", "altair", "6.9.0")
    doctor = run_cps(out=tmp_path / "out", command="doctor", environment=newer)
    assert doctor.exit_code == 0, doctor.stdout
    assert "· altair is 6.9.0, tested with" in doctor.stdout


@pytest.mark.parametrize("name", ["polars", "psutil", "papermill", "jinja2"])
def test_f44_a_library_that_is_missing_is_named_by_doctor_and_run(
    name: str, quick: Quick, tmp_path: Path
) -> None:
    less = {**os.environ, **installed_without(tmp_path / "less", name)}
    python = [sys.executable, "-S", "-m", "cps"]
    out = ["--out", str(tmp_path / "out"), "--lang", "en"]
    for words in (["doctor"], ["run", *quick.options]):
        done = subprocess.run(
            [*python, *words, *out], capture_output=True, text=True, check=False, env=less
        )
        said = done.stdout + done.stderr
        assert done.returncode == 2, said
        assert "Traceback" not in said
        assert f"{name} is not installed" in said
    assert not (tmp_path / "out" / "latest").exists()


def test_f44_a_cluster_without_the_optional_dask_is_refused_with_what_to_install(
    quick: Quick, tmp_path: Path
) -> None:
    less = {**os.environ, **installed_without(tmp_path / "less", "distributed")}
    done = subprocess.run(
        [
            *(sys.executable, "-S", "-m", "cps", "run", *quick.options),
            *("--cluster", "tcp://127.0.0.1:1", "--out", str(tmp_path / "out"), "--lang", "en"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=less,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "cluster" in done.stderr
    assert "distributed" in done.stderr


def _way_to_this_code() -> list[str]:
    """Give nothing where this very code is installed, else the variable that leads to it."""
    words = [sys.executable, "-c", "import cps; print(cps.__file__)"]
    found = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/", env={})
    return [] if found.stdout.startswith(str(ROOT)) else [f"PYTHONPATH={ROOT}"]


def test_f55_cron_s_poor_environment_gives_the_same_bytes(
    quick: Quick, undisturbed: Done, tmp_path: Path
) -> None:
    script = Path(sys.executable).with_name("cps")
    if not script.exists():
        pytest.skip("cps is not installed beside this Python")
    out, log = tmp_path / "out", tmp_path / "cron.log"
    poor = ["env", "-i", f"PATH={PATH}", *_way_to_this_code()]
    quiet = ["sh", "-c", 'umask 077; cd /; exec "$@" >"$0" 2>&1', str(log)]
    done = subprocess.run(
        [*poor, *quiet, str(script), "run", *quick.options, "--out", str(out)],
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=300,
    )
    said = log.read_text(encoding="utf-8")
    assert done.returncode == 0, said
    assert "\r" not in said and "\x1b" not in said  # plain lines in a log
    assert "[2/2]" in said
    assert tree_bytes(out / "latest") == tree_bytes(undisturbed.latest)
