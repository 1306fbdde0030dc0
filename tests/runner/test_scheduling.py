"""What docs/scheduling.md tells operators to type, run as it stands but for the places."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from cps.provenance import folder_digests

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kernels")]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "scheduling"
MANUAL = (ROOT / "docs" / "scheduling.md").read_text(encoding="utf-8")
NOTEBOOK = ROOT / "notebooks" / "initiative.ipynb"
UNITS = sorted(path.name for path in EXAMPLES.glob("cps-*"))
BIN = Path(sys.executable).parent
POOR = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
Localised = Callable[[str], str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, ledgers: Path) -> Path:
    """What /srv is in the manual; with one edition, made by the line of the crontab."""
    srv = tmp_path_factory.mktemp("srv")
    (srv / "ledgers").symlink_to(ledgers)
    (srv / "reports").mkdir()
    return srv


@pytest.fixture(scope="module")
def localised(place: Path) -> Localised:
    """Put this machine's places into an example."""

    def localise(text: str) -> str:
        text = text.replace("/opt/cps/.venv/bin", shlex.quote(str(BIN)))
        text = text.replace("/opt/cps", str(ROOT)).replace("/srv", str(place))
        return text.replace("cps run ", "cps run --only bonsai ")

    return localise


@pytest.fixture(scope="module")
def edition(localised: Localised, place: Path) -> tuple[Path, str]:
    """The edition that cron's first line makes, and what cron would have mailed."""
    mailed = _as_cron(_crontab()[1][0][1], localised)
    return place / "reports" / "latest", mailed


def _crontab() -> tuple[dict[str, str], list[tuple[str, str]]]:
    variables, jobs = {}, []
    for line in (EXAMPLES / "cps.crontab").read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if found := re.fullmatch(r"([A-Z_]+)=(.*)", line):
            variables[found[1]] = found[2]
        else:
            fields = line.split(maxsplit=5)
            jobs.append((" ".join(fields[:5]), fields[5]))
    return variables, jobs


def _as_cron(command: str, localised: Localised) -> str:
    """Run a command as cron does: its shell, its few variables, a strict umask, no terminal."""
    variables, _ = _crontab()
    done = subprocess.run(
        [variables["SHELL"], "-c", f"umask 077; {localised(command)}"],
        env=_with_own_code({key: one for key, one in variables.items() if key != "MAILTO"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd="/",
        timeout=300,
        check=True,
    )
    return done.stdout + done.stderr


def _with_own_code(environment: dict[str, str]) -> dict[str, str]:
    # Where the tests themselves run on code that is not the installed one.
    own = os.environ.get("PYTHONPATH")
    return {**environment, **({"PYTHONPATH": own} if own else {})}


def test_crons_line_makes_an_edition_in_crons_poor_environment_and_mails_nothing(
    edition: tuple[Path, str], place: Path
) -> None:
    latest, mailed = edition
    assert mailed == ""
    assert (latest / "zh" / "bonsai.html").exists()
    summary = json.loads((place / "reports" / "summary.json").read_text(encoding="utf-8"))
    assert summary["exit_code"] == 0
    assert {"status", "edition", "initiatives", "warnings", "last_success"} <= set(summary)
    assert "报告" in (place / "reports" / "cron.log").read_text(encoding="utf-8")


def test_crons_line_mails_the_status_of_a_run_that_failed(
    edition: tuple[Path, str], localised: Localised
) -> None:
    failing = _crontab()[1][0][1].replace("/srv/ledgers", "/srv/没有")
    assert re.search(r"cps run: status [25], see", _as_cron(failing, localised))


def test_the_watch_is_silent_while_runs_are_young_and_speaks_when_one_is_overdue(
    edition: tuple[Path, str], localised: Localised
) -> None:
    watch = _crontab()[1][1][1]
    assert _as_cron(watch, localised) == ""
    assert _as_cron(watch.replace("--max-age 35d", "--max-age 0h"), localised) != ""
    assert _as_cron(watch.replace("/srv/reports", "/srv/nothing"), localised) != ""


def test_the_crontab_has_schedules_that_cron_reads_and_no_bare_percent_sign() -> None:
    from croniter import croniter

    _, jobs = _crontab()
    assert len(jobs) == 2
    for schedule, command in jobs:
        assert croniter.is_valid(schedule), schedule
        assert not re.search(r"(?<!\\)%", command)


def _unit(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (EXAMPLES / name).read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_reads_the_unit_without_complaint(
    name: str, localised: Localised, tmp_path: Path
) -> None:
    for one in UNITS:  # a timer is read together with its service
        text = localised((EXAMPLES / one).read_text(encoding="utf-8"))
        (tmp_path / one).write_text(text.replace("cps run --only bonsai", "cps run"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    complaints = [line for line in done.stderr.splitlines() if "cps-" in line]
    assert (done.returncode, complaints) == (0, [])
    for calendar in _unit(name).get("OnCalendar", []):
        subprocess.run(["systemd-analyze", "calendar", calendar], check=True, capture_output=True)


def test_each_exec_start_of_a_run_and_its_watch_ends_well(
    edition: tuple[Path, str], localised: Localised
) -> None:
    for name in ("cps-run.service", "cps-status.service"):
        (start,) = _unit(name)["ExecStart"]
        subprocess.run(
            shlex.split(localised(start)), env=_with_own_code(POOR), check=True, timeout=300
        )


def test_a_run_that_systemd_stops_ends_with_the_status_that_the_unit_calls_a_success(
    edition: tuple[Path, str], localised: Localised, place: Path
) -> None:
    unit = _unit("cps-run.service")
    before = os.readlink(edition[0])
    command = localised(unit["ExecStart"][0]).replace("cps run", "cps run --again")
    with subprocess.Popen(
        shlex.split(command), env=_with_own_code(POOR), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()  # the ledgers are read: it works on notebooks
        process.send_signal(signal.SIGTERM)
        status = process.wait(int(unit["TimeoutStopSec"][0]))
    assert str(status) in unit["SuccessExitStatus"]
    assert os.readlink(edition[0]) == before


def _declared() -> dict[str, object]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    (source,) = ("".join(one["source"]) for one in cells if "parameters" in _tags(one))
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _tags(cell: dict[str, dict[str, list[str]]]) -> list[str]:
    return cell["metadata"].get("tags", [])


@pytest.fixture(scope="module")
def plain(edition: tuple[Path, str], localised: Localised, place: Path) -> Path:
    """The run that papermill alone makes, with the manual's own lines."""
    (block,) = [one for one in _blocks("sh") if "papermill" in one]
    for line in block.splitlines():
        subprocess.run(
            ["/bin/sh", "-c", localised(line)],
            check=True,
            env=_with_own_code({**POOR, "LC_ALL": "C.UTF-8", "HOME": str(place)}),
            timeout=300,
            capture_output=True,
        )
    return place / "further" / "bonsai"


def test_papermill_alone_runs_the_notebook_and_its_run_becomes_pages(plain: Path) -> None:
    assert (plain / "run.json").exists()
    assert list((plain.parent / "pages").rglob("bonsai.html"))


def _results(folder: Path) -> dict[str, str]:
    found = folder_digests(folder)
    found.pop("circumstances.json", None)  # times, host and paths
    return found


def test_the_airflow_example_compiles_and_its_parameters_are_those_of_the_notebook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operators = _operators(monkeypatch)
    notebooks = [one for one in operators if "input_nb" in one]
    assert [one["task_id"] for one in notebooks] == ["jobs_bonsai", "jobs_flowers"]
    declared = _declared()
    for one in notebooks:
        parameters = one["parameters"]
        assert isinstance(parameters, dict)
        assert set(parameters) == set(declared)
        for name, value in parameters.items():
            assert type(value) is type(declared[name]), name
        assert one["input_nb"] == "/opt/cps/notebooks/initiative.ipynb"


def test_the_call_that_airflows_operator_makes_gives_the_same_run(
    plain: Path, localised: Localised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = next(one for one in _operators(monkeypatch) if one["task_id"] == "jobs_bonsai")
    (tmp_path / "further").mkdir()
    text = json.dumps(given["parameters"]).replace("/srv/further", str(tmp_path / "further"))
    kernels = (sys.executable, "-m", "ipykernel", "install", "--prefix", str(tmp_path))
    subprocess.run([*kernels, "--name", str(given["kernel_name"])], check=True, capture_output=True)
    call = (  # as execute() of the operator has it, provider 3.13.3
        "import json, sys, papermill\n"
        "notebook, output, parameters, kernel = sys.argv[1:]\n"
        "papermill.execute_notebook(notebook, output, parameters=json.loads(parameters),\n"
        "    progress_bar=False, report_mode=True, log_output=False, kernel_name=kernel,\n"
        "    language=None, engine_name=None)\n"
    )
    output = tmp_path / "further" / "bonsai.ipynb"
    subprocess.run(
        [
            *(sys.executable, "-c", call, localised(str(given["input_nb"])), str(output)),
            *(localised(text), str(given["kernel_name"])),
        ],
        check=True,
        capture_output=True,
        timeout=300,
        env={**os.environ, "JUPYTER_PATH": str(tmp_path / "share" / "jupyter")},
    )
    assert _results(tmp_path / "further" / "bonsai") == _results(plain)


def _operators(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Read what the example declares; Airflow is no part of the test environment."""
    made: list[dict[str, object]] = []

    class Operator:
        def __init__(self, **given: object) -> None:
            made.append(given)

        def __rshift__(self, other: object) -> object:
            return other

    class Dag:
        def __init__(self, **given: object) -> None:
            assert given["max_active_runs"] == 1

        def __enter__(self) -> Dag:
            return self

        def __exit__(self, *error: object) -> None:
            return None

    stands_for = {
        "pendulum": {"datetime": lambda *given, tz: given},
        "airflow.sdk": {"DAG": Dag},
        "airflow.providers.papermill.operators.papermill": {"PapermillOperator": Operator},
        "airflow.providers.standard.operators.bash": {"BashOperator": Operator},
    }
    for name, held in stands_for.items():
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            module = ModuleType(".".join(parts[:depth]))
            module.__dict__.update(held if depth == len(parts) else {"__path__": []})
            if depth == len(parts) or module.__name__ not in sys.modules:
                monkeypatch.setitem(sys.modules, module.__name__, module)
    runpy.run_path(str(EXAMPLES / "airflow_cps.py"))
    return made


@pytest.fixture
def jupyter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[dict[str, object]], tuple[str, str]]]:
    """Run a job through jupyter-scheduler's own scheduler, in the process that it starts."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    from jupyter_scheduler.environments import CondaEnvironmentManager
    from jupyter_scheduler.models import CreateJob
    from jupyter_scheduler.orm import create_tables
    from jupyter_scheduler.scheduler import Scheduler

    root = tmp_path / "notebooks"
    root.mkdir()
    shutil.copy(NOTEBOOK, root)
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    create_tables(url)
    scheduler = Scheduler(
        root_dir=str(root), environments_manager=CondaEnvironmentManager(), db_url=url
    )

    def run(body: dict[str, object]) -> tuple[str, str]:
        job = scheduler.create_job(CreateJob(**body))
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline:
            found = scheduler.get_job(job, False)
            if str(found.status) in ("COMPLETED", "FAILED"):
                return str(found.status), found.status_message or ""
            time.sleep(0.2)
        raise AssertionError("the job did not end")

    yield run
    if scheduler.task_runner is not None:
        scheduler.task_runner = None


def test_a_job_of_jupyter_scheduler_gives_the_same_run(
    plain: Path,
    localised: Localised,
    tmp_path: Path,
    jupyter: Callable[[dict[str, object]], tuple[str, str]],
) -> None:
    text = (EXAMPLES / "jupyter_job.json").read_text(encoding="utf-8")
    body = json.loads(localised(text.replace("/srv/further", str(tmp_path / "further"))))
    assert set(body["parameters"]) == set(_declared())
    assert jupyter(body) == ("COMPLETED", "")
    assert _results(tmp_path / "further" / "bonsai") == _results(plain)
    # Parameters are pasted as code: without quotes of its own a text is a name.
    body["parameters"]["initiative"] = "bonsai"
    status, message = jupyter(body)
    assert status == "FAILED"
    assert "NameError" in message


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", MANUAL, re.DOTALL | re.MULTILINE)


def test_every_command_in_the_manual_is_run_by_a_test_or_says_why_not() -> None:
    kinds = re.findall(r"^```(.+)$", MANUAL, re.MULTILINE)
    assert set(kinds) == {"sh", "sh untested", "sh cluster"}
    untested = re.findall(r"^```sh untested\n.*?^```\n\n(.*)$", MANUAL, re.DOTALL | re.MULTILINE)
    assert len(_blocks("sh untested")) == kinds.count("sh untested")
    assert untested
    for block in _blocks("sh untested"):
        after = MANUAL.split(block, 1)[1].removeprefix("```\n\n").split("\n\n", 1)[0]
        assert after.startswith("(Not run by"), after
    assert kinds.count("sh cluster") == 1
    linked = set(re.findall(r"\(scheduling/([^)]+)\)", MANUAL))
    assert linked == {path.name for path in EXAMPLES.iterdir()}


def test_the_first_commands_of_the_manual_end_well(
    edition: tuple[Path, str], localised: Localised
) -> None:
    (block,) = [one for one in _blocks("sh") if "cps run" in one]
    for line in block.splitlines():
        subprocess.run(
            ["/bin/sh", "-c", localised(line)], env=_with_own_code(POOR), check=True, timeout=300
        )


def test_the_clusters_commands_give_the_same_results_as_this_machine(
    edition: tuple[Path, str], localised: Localised, place: Path, tmp_path: Path
) -> None:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    (block,) = _blocks("sh cluster")
    text = localised(block).replace("scheduler.internal", "127.0.0.1").replace("8786", str(port))
    text = text.replace(f"{place}/reports", str(tmp_path / "reports"))
    scheduler, worker, run = (shlex.split(line) for line in text.splitlines())
    environment = _with_own_code({**os.environ, "PYTHONUTF8": "1"})
    started = []
    try:
        for command in (scheduler, worker):
            log = (tmp_path / f"{command[1]}.log").open("wb")
            with log:
                started.append(
                    subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
                )
        log = tmp_path / "worker.log"
        deadline = time.monotonic() + 120
        while "Registered to" not in log.read_text(errors="replace"):
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.2)
        done = subprocess.run(
            run, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(60)
    there, here = tmp_path / "reports" / "latest", edition[0]
    assert _results(there / "runs" / "bonsai") == _results(here / "runs" / "bonsai")
    assert folder_digests(there / "zh") == folder_digests(here / "zh")
