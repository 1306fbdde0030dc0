"""A real dask scheduler with real workers: the same results, and no piece lost with a worker."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

import cps
from cps.errors import CpsError, Text, UsageError
from cps.panel.store import save_panel
from cps.provenance import folder_digests
from cps.runner.cluster import ClusterEngine
from cps.runner.engine import Piece
from cps.runner.local import local_engine

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kernels")]

ROOT = Path(__file__).parents[2]
DASK = (sys.executable, "-m", "dask")
LOOPBACK = "127.0.0.1"
WAIT_SECONDS = 90.0

PARAMETERS = "number = 0\npanel = ''\nout = ''"
SAVE = """\
import importlib.metadata, json, pathlib
table = json.loads(pathlib.Path(panel, "表.json").read_text(encoding="utf-8"))
folder = pathlib.Path(out)
folder.mkdir(parents=True, exist_ok=True)
(folder / "design.bin").write_bytes(bytes(range(number)) * 100)
manifest = {"library_versions": {}, "cps_version": importlib.metadata.version("cps")}
saved = {"value": table["价值"] * number / 7, "run": {"manifest": manifest}}
(folder / "run.json").write_text(json.dumps(saved), encoding="utf-8")
"""


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path, *options: str, scheme: str = "tcp") -> None:
        self.folder = folder
        self.options = options
        self.workers: list[subprocess.Popen[bytes]] = []
        found = folder / "scheduler.json"
        listen = ("--host", f"{scheme}://{LOOPBACK}:0", "--no-dashboard")
        self.scheduler = self._started("scheduler", *listen, "--scheduler-file", str(found))
        _until(found.exists, "the scheduler did not start")
        self.address = str(json.loads(found.read_text(encoding="utf-8"))["address"])

    def add(self, *, env: dict[str, str] | None = None, python: tuple[str, ...] = DASK) -> int:
        """Start one more worker with one thread and a nanny; give its place in ``workers``."""
        given = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder))
        process = self._started("worker", self.address, *given, env=env, python=python)
        self.workers.append(process)
        return len(self.workers) - 1

    def kill(self, place: int) -> None:
        """End a worker with its nanny as a power cut would."""
        nanny = psutil.Process(self.workers[place].pid)
        family = [nanny, *(one for one in nanny.children() if "spawn_main" in str(one.cmdline()))]
        for one in family:
            one.kill()
        self.workers[place].wait()

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process.poll() is None:
                for one in psutil.Process(process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.kill()
                process.kill()
                process.wait()

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))

    def _started(
        self,
        what: str,
        *arguments: str,
        env: dict[str, str] | None = None,
        python: tuple[str, ...] = DASK,
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{what}-{len(self.workers)}.log").open("wb") as log:
            return subprocess.Popen(
                [*python, what, *arguments, *self.options],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUTF8": "1", **(env or {})},
                cwd=self.folder,
            )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers; a test that ends one starts another."""
    one = Cluster(tmp_path_factory.mktemp("集群 cluster"))
    try:
        one.add()
        one.add()
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("面板 panel")
    (folder / "表.json").write_text(json.dumps({"价值": 42}), encoding="utf-8")
    return folder


def _notebook(path: Path, *cells: str) -> Path:
    stored = [
        {
            "cell_type": "code",
            "id": f"c{place}",
            "metadata": {"tags": ["parameters"]} if place == 0 else {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        for place, source in enumerate((PARAMETERS, *cells))
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    book = {"cells": stored, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book), encoding="utf-8")
    return path


def _until(holds: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return int(one.getsockname()[1])


def test_sixty_notebooks_finish_with_the_same_bytes_though_a_worker_is_killed_midway(
    cluster: Cluster, panel: Path, tmp_path: Path
) -> None:
    notebook = _notebook(tmp_path / "small.ipynb", SAVE)
    pieces = [
        Piece(f"n{number}", "k", notebook, {"number": number}, {"panel": panel}, 60)
        for number in range(60)
    ]
    is_killed = threading.Event()
    n_done = 0

    def run(piece: Piece) -> tuple[str, str | None, int]:
        nonlocal n_done
        ended = engine.run(piece, tmp_path / "there" / piece.name)
        n_done += 1
        if n_done >= 20 and not is_killed.is_set():
            is_killed.set()
            cluster.kill(0)
        return ended.name, ended.message and ended.message.en, ended.attempts

    with (
        ClusterEngine(cluster.address, timeout_seconds=WAIT_SECONDS) as engine,
        ThreadPoolExecutor(6) as pool,
    ):
        ended = list(pool.map(run, pieces))
        inputs = [key for key in _keys(cluster) if "cps-input" in key]
    cluster.add()
    assert is_killed.is_set()
    assert [(name, message) for name, message, _ in ended] == [(p.name, None) for p in pieces]
    assert len(inputs) == 1, "the panel is sent once, not once for each piece"
    for piece in pieces:  # the same cells, here
        scope = {**piece.parameters, "panel": str(panel), "out": str(tmp_path / "h" / piece.name)}
        exec(SAVE, scope)  # noqa: S102
        there = tmp_path / "there" / piece.name
        assert folder_digests(there / "run") == folder_digests(Path(str(scope["out"])))
        assert (there / "notebook.ipynb").exists()
    with local_engine() as local:
        assert local.run(pieces[7], tmp_path / "local").message is None
    assert folder_digests(tmp_path / "local" / "run") == folder_digests(
        tmp_path / "there" / "n7" / "run"
    )


def _keys(cluster: Cluster) -> list[str]:
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        return [str(key) for key in client.who_has()]


def test_an_initiatives_notebook_gives_the_same_bytes_there_as_here(
    cluster: Cluster, ledgers: Path, tmp_path: Path
) -> None:
    save_panel(cps.build_panel(cps.read_ledgers(ledgers)), tmp_path / "panel")
    shutil.copytree(ROOT / "data" / "initiatives", tmp_path / "panel" / "initiatives")
    parameters = {"initiative": "bonsai", "outcome": "income_yuan", "seed": 0}
    notebook = ROOT / "notebooks" / "initiative.ipynb"
    piece = Piece("bonsai", "k", notebook, parameters, {"panel": tmp_path / "panel"}, 120)
    with ClusterEngine(cluster.address, timeout_seconds=WAIT_SECONDS) as engine:
        assert engine.run(piece, tmp_path / "there").message is None
    with local_engine() as local:
        assert local.run(piece, tmp_path / "here").message is None
    digests = folder_digests(tmp_path / "there" / "run")
    assert {"run.json", "design.parquet"} <= set(digests)
    here = folder_digests(tmp_path / "here" / "run")
    apart = {"circumstances.json"}  # times, host and paths
    assert {name: one for name, one in digests.items() if name not in apart} == {
        name: one for name, one in here.items() if name not in apart
    }


def test_an_error_in_a_cell_comes_back_with_its_notebook_and_is_not_tried_again(
    cluster: Cluster, panel: Path, tmp_path: Path
) -> None:
    notebook = _notebook(tmp_path / "bad.ipynb", "1 + 1", "raise KeyError('没有')")
    with ClusterEngine(cluster.address, timeout_seconds=WAIT_SECONDS) as engine:
        ended = engine.run(Piece("bad", "k", notebook, {}, {"panel": panel}, 60), tmp_path / "out")
    assert (ended.kind, ended.cell, ended.attempts) == ("error", 4, 1)  # papermill added one
    assert ended.message is not None
    assert "没有" in ended.message.zh
    cells = json.loads((tmp_path / "out" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    assert any(
        shown["output_type"] == "error" for cell in cells for shown in cell.get("outputs", ())
    )
    assert not (tmp_path / "out" / "run").exists()


def test_the_time_out_of_a_notebook_holds_on_the_worker(
    cluster: Cluster, panel: Path, tmp_path: Path
) -> None:
    notebook = _notebook(tmp_path / "slow.ipynb", "import time\ntime.sleep(600)")
    with ClusterEngine(cluster.address, timeout_seconds=WAIT_SECONDS) as engine:
        ended = engine.run(Piece("slow", "k", notebook, {}, {"panel": panel}, 2), tmp_path / "out")
    assert ended.kind == "timeout"
    assert ended.message is not None
    assert "2" in ended.message.en


KILL_WORKER = """\
import os, pathlib, psutil, signal
worker = next(p for p in psutil.Process().parents() if "spawn_main" in str(p.cmdline()))
with pathlib.Path(marks).open("a") as handle:
    handle.write(f"{worker.pid}\\n")
os.kill(worker.pid, signal.SIGKILL)
"""


def test_a_piece_that_kills_its_workers_is_given_up_after_three_and_takes_no_other_with_it(
    cluster: Cluster, panel: Path, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    bad = _notebook(tmp_path / "bad.ipynb", f"marks = {str(marks)!r}\n{KILL_WORKER}")
    good = _notebook(tmp_path / "good.ipynb", SAVE)
    inputs = {"panel": panel}
    with (
        ClusterEngine(cluster.address, timeout_seconds=WAIT_SECONDS) as engine,
        ThreadPoolExecutor(5) as pool,
    ):
        killing = pool.submit(engine.run, Piece("bad", "k", bad, {}, inputs, 60), tmp_path / "bad")
        others = [
            pool.submit(
                engine.run,
                Piece(f"good{n}", "k", good, {"number": n}, inputs, 60),
                tmp_path / f"good{n}",
            )
            for n in range(8)
        ]
        assert [one.result().message for one in others] == [None] * 8
        ended = killing.result()
    assert (ended.kind, ended.attempts) == ("crashed", 3)
    assert ended.message is not None
    assert "died 3 times" in ended.message.en
    assert len(marks.read_text().split()) == 3
    assert not (tmp_path / "bad" / "run").exists()


SLEEP = """\
import os, pathlib, time
pathlib.Path({mark!r}).write_text(str(os.getpid()))
time.sleep(600)
"""


def _sleeper(tmp_path: Path, panel: Path, name: str) -> tuple[Piece, Path]:
    mark = tmp_path / f"{name}.pid"
    notebook = _notebook(tmp_path / f"{name}.ipynb", SLEEP.format(mark=str(mark)))
    return Piece(name, "k", notebook, {}, {"panel": panel}, 600), mark


def test_stop_ends_what_runs_and_what_waits_and_the_workers_are_free_again(
    cluster: Cluster, panel: Path, tmp_path: Path
) -> None:
    sleepers = [_sleeper(tmp_path, panel, f"sleeper{n}") for n in range(4)]
    engine = ClusterEngine(cluster.address, timeout_seconds=WAIT_SECONDS)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(engine.run, piece, tmp_path / piece.name) for piece, _ in sleepers]
        _until(lambda: any(mark.exists() and mark.read_text() for _, mark in sleepers), "no start")
        engine.stop()
        for one in asked:
            assert isinstance(one.exception(timeout=WAIT_SECONDS), InterruptedError)
    for _, mark in sleepers:
        if mark.exists() and mark.read_text():
            _until(lambda mark=mark: _is_gone(int(mark.read_text())), "a kernel outlived stop()")
    n_started = sum(mark.exists() for _, mark in sleepers)
    assert 1 <= n_started <= 2
    with pytest.raises(InterruptedError):
        engine.run(sleepers[0][0], tmp_path / "again")
    piece = Piece(
        "after", "k", _notebook(tmp_path / "after.ipynb", SAVE), {"number": 3}, {"panel": panel}, 60
    )
    with ClusterEngine(cluster.address, timeout_seconds=WAIT_SECONDS) as another:
        assert another.run(piece, tmp_path / "after").message is None


def test_when_the_caller_is_killed_the_workers_end_its_notebooks(
    cluster: Cluster, panel: Path, tmp_path: Path
) -> None:
    piece, mark = _sleeper(tmp_path, panel, "orphan")
    code = (
        "import sys; from pathlib import Path\n"
        "from cps.runner.cluster import ClusterEngine; from cps.runner.engine import Piece\n"
        "address, notebook, panel, out = sys.argv[1:]\n"
        "piece = Piece('orphan', 'k', Path(notebook), {}, {'panel': Path(panel)}, 600)\n"
        "ClusterEngine(address).run(piece, Path(out))\n"
    )
    caller = subprocess.Popen(
        [
            *(sys.executable, "-c", code, cluster.address, str(piece.notebook), str(panel)),
            str(tmp_path / "out"),
        ],
        cwd=ROOT,
    )
    try:
        _until(lambda: mark.exists() and mark.read_text(), "the notebook did not start")
    finally:
        caller.send_signal(signal.SIGKILL)
        caller.wait()
    _until(lambda: _is_gone(int(mark.read_text())), "the kernel outlived its caller")


def test_a_worker_of_other_code_is_refused_by_name_before_any_piece_runs(
    tmp_path: Path, other_code: Path
) -> None:
    mixed = Cluster(tmp_path)
    try:
        mixed.add(env={"PYTHONPATH": str(other_code)})
        with pytest.raises(UsageError) as caught:
            ClusterEngine(mixed.address, timeout_seconds=WAIT_SECONDS)
    finally:
        mixed.close()
    said = caught.value.message("en")
    assert caught.value.exit_code == 2
    assert "tcp://127.0.0.1:" in caught.value.what.en
    assert "code " in caught.value.what.en
    assert " ≠ " in caught.value.what.en
    assert mixed.address in said


@pytest.fixture(scope="module")
def other_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that differs by one comment."""
    folder = tmp_path_factory.mktemp("other")
    shutil.copytree(ROOT / "cps", folder / "cps", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "cps" / "units.py").open("a", encoding="utf-8") as handle:
        handle.write("# another version\n")
    return folder


def test_workers_that_join_later_with_other_code_or_none_get_no_piece_and_are_named_once(
    cluster: Cluster, panel: Path, tmp_path: Path, other_code: Path
) -> None:
    said: list[Text] = []
    notebook = _notebook(tmp_path / "small.ipynb", SAVE)
    n_before = len(cluster.workers)
    with ClusterEngine(cluster.address, say=said.append, timeout_seconds=WAIT_SECONDS) as engine:
        without = _without_our_package()
        cluster.add(env={"PYTHONPATH": str(other_code)})
        cluster.add(env={"PYTHONPATH": without}, python=(sys.executable, "-S", "-m", "dask"))
        _until(lambda: engine.slots == 4, f"the workers did not join: {cluster.log()}")
        pieces = [
            Piece(f"n{number}", "k", notebook, {"number": number}, {"panel": panel}, 60)
            for number in range(12)
        ]
        with ThreadPoolExecutor(8) as pool:
            ended = list(pool.map(lambda one: engine.run(one, tmp_path / one.name), pieces))
    for place in range(n_before, len(cluster.workers)):
        cluster.kill(place)
    assert [one.message for one in ended] == [None] * 12
    refusals = [one.en for one in said if one.en.startswith("not used")]
    assert any("code " in one for one in refusals)
    assert any("No module named 'cps'" in one for one in refusals), said
    assert sum(one.count("tcp://") for one in refusals) == 2


def _without_our_package() -> str:
    import distributed

    return str(Path(distributed.__file__).parents[1])


def test_without_any_worker_what_waits_is_given_up_in_words(panel: Path, tmp_path: Path) -> None:
    alone = Cluster(tmp_path)
    try:
        place = alone.add()
        notebook = _notebook(tmp_path / "small.ipynb", SAVE)
        with ClusterEngine(
            alone.address, timeout_seconds=WAIT_SECONDS, patience_seconds=1
        ) as engine:
            alone.kill(place)
            piece = Piece("n", "k", notebook, {"number": 1}, {"panel": panel}, 60)
            ended = engine.run(piece, tmp_path / "out")
            assert ended.kind == "crashed"
            assert ended.message is not None
            assert "no worker" in ended.message.en
            alone.scheduler.kill()
            ended = engine.run(piece, tmp_path / "out")
            assert ended.kind == "crashed"
            assert ended.message is not None
            assert "connection" in ended.message.en
    finally:
        alone.close()


def test_a_scheduler_without_workers_is_refused_with_the_command_that_starts_one(
    tmp_path: Path,
) -> None:
    empty = Cluster(tmp_path)
    try:
        with pytest.raises(UsageError) as caught:
            ClusterEngine(empty.address, timeout_seconds=1)
    finally:
        empty.close()
    assert f"dask worker {empty.address} --nthreads 1" in caught.value.message("zh")


@pytest.mark.parametrize("kind", ["nobody listens", "silence", "no port", "another protocol"])
def test_an_address_that_can_not_be_reached_is_refused_in_words(kind: str) -> None:
    with socket.socket() as silent:
        silent.bind((LOOPBACK, 0))
        silent.listen()
        address = {
            "nobody listens": f"tcp://{LOOPBACK}:{_free_port()}",
            "silence": f"tcp://{LOOPBACK}:{silent.getsockname()[1]}",
            "no port": "tcp://",
            "another protocol": "smtp://127.0.0.1:25",
        }[kind]
        with pytest.raises(UsageError) as caught:
            ClusterEngine(address, timeout_seconds=1)
    assert caught.value.where == f"--cluster {address}"
    assert "调度器" in caught.value.message("zh")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_tls_address_is_handed_to_dask_as_it_is_and_its_own_configuration_is_used(
    panel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = ("-subj", "/CN=cps-test", "-addext", f"subjectAltName=IP:{LOOPBACK}")
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)
    subprocess.run([*made, "-out", cert, "-keyout", key], check=True, capture_output=True)
    secured = ("--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key)
    private = Cluster(tmp_path, *secured, scheme="tls")
    try:
        assert private.address.startswith("tls://")
        private.add()
        with pytest.raises(CpsError):  # without the certificate
            ClusterEngine(private.address, timeout_seconds=2)
        import dask

        with dask.config.set(
            {
                "distributed.comm.tls.ca-file": cert,
                "distributed.comm.tls.client.cert": cert,
                "distributed.comm.tls.client.key": key,
            }
        ):
            engine = ClusterEngine(private.address, timeout_seconds=WAIT_SECONDS)
        with engine:
            notebook = _notebook(tmp_path / "small.ipynb", SAVE)
            piece = Piece("n", "k", notebook, {"number": 1}, {"panel": panel}, 60)
            assert engine.run(piece, tmp_path / "out").message is None
    finally:
        private.close()
