"""One run from its inputs to its edition, stage by stage."""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cps.errors import Text
from cps.facts import FOLDER as FACTS
from cps.provenance import sha256_json
from cps.runner import telling
from cps.runner.edition import (
    LATEST,
    Edition,
    data_of,
    keep_failed,
    last_good,
    list_editions,
    next_stamp,
    publish,
    read_edition,
)
from cps.runner.engine import NOTEBOOK, RUN, Ended, Engine, Piece
from cps.runner.judge import tail
from cps.runner.keys import (
    Components,
    initiative_components,
    key_of,
    overview_components,
    page_key,
)
from cps.runner.listing import refresh_listing
from cps.runner.local import LocalEngine, local_engine
from cps.runner.lock import Held
from cps.runner.means import Means
from cps.runner.order import Order
from cps.runner.prepare import Inputs, describe, panel_key, prepare
from cps.runner.record import Record
from cps.runner.sealed import DamagedError
from cps.runner.signals import as_they_end
from cps.runner.snapshot import NAMES, Snapshot, changed_since, open_elsewhere
from cps.runner.store import Store, copy_bytes, copy_tree
from cps.runner.work import Work, room_needed
from cps.runs import load_failures, save_failure

STORE = ".store"
OVERVIEW = "overview"
Job = dict[str, Any]  # of rendering, see cps.runner.pages
_LEAST_BYTES = 1_000_000
_DISK_FULL = re.compile(rf"(?:\[Errno|os error) (?:{errno.ENOSPC}|{errno.EDQUOT})\b")


class Session:
    """One run; :meth:`run` takes it through its stages, ``record`` holds what came of it."""

    def __init__(
        self, order: Order, work: Work, *, held: Held, means: Means, record: Record
    ) -> None:
        self.order = order
        self._notebooks = work.inputs / "notebooks"
        self.out = held.folder
        self.record = record
        self.published = Path()
        self.failures: dict[str, Text] = {}
        self._work = work
        self._held = held
        self._means = means
        self._store = Store(self.out / STORE, record.warn)
        self._planned: dict[str, Components] = {}

    def run(self, *, is_resumed: bool, is_again: bool) -> None:
        """Take the run from its inputs to an edition, or find that nothing changed."""
        if is_again:
            shutil.rmtree(self._store.folder, ignore_errors=True)
        for name in open_elsewhere(self.order):
            self.record.warn(telling.is_open(name))
        snapshot = self._work.begin(self.order, is_resumed=is_resumed)
        before = self._edition_before()
        self.record.begin(snapshot.inputs, before, as_of=self.order.as_of)
        engines: tuple[LocalEngine, Engine] | None = None
        with contextlib.ExitStack() as stack:
            if not self._store.has(panel_key(self.order, snapshot)):
                # Something is to be run for sure: the engine starts while ledgers are read.
                engines = stack.enter_context(self._engines())
            inputs = prepare(self.order, snapshot, self._work.panel, self._store)
            self.record.lap("panel")
            self._planned = self._plan(inputs)
            if before is not None and not is_again and self._is_unchanged(inputs, before):
                self._stay(before)
                return
            self.record.say(describe(inputs.panel))
            local, engine = engines or stack.enter_context(self._engines())
            self._run_initiatives(inputs, engine)
            self.record.lap("initiatives")
            overview = self._run_overview(inputs, local)
            self.record.lap("overview")
            components = {**self._planned, OVERVIEW: overview}
            pages = self._render(components, local)
            self._assemble(components, pages)
            self._render_failures(inputs, local)
            self.record.lap("pages")
        self._publish(components, inputs, snapshot)
        self._store.prune(self._in_use(components, pages, inputs, before))
        self._work.clear()
        self.record.lap("publish")

    # -- stages ---------------------------------------------------------------------------------

    def _plan(self, inputs: Inputs) -> dict[str, Components]:
        by_id = {one.id: one for one in inputs.declared}
        return {
            name: initiative_components(
                by_id[name],
                inputs.declared,
                panel=inputs.panel,
                notebook=self._notebooks / "initiative.ipynb",
                parameters=self.order.parameters,
            )
            for name in inputs.chosen
        }

    def _run_initiatives(self, inputs: Inputs, engine: Engine) -> None:
        names = {one.id: one.name for one in inputs.declared}
        todo = []
        for name, components in self._planned.items():
            is_kept = self._store.get(key_of(components)) is not None
            self.record.plan(name, components, is_kept=is_kept)
            if not is_kept:
                todo.append(name)
        if len(todo) < len(self._planned):
            n_all = len(self._planned)
            self.record.say(telling.kept_line(n_all - len(todo), n_all))
        pieces = [self._piece(name, {"initiative": name}, {"panel": inputs.panel}) for name in todo]
        self.record.progress(0, len(todo))
        for place, (piece, ended) in enumerate(self._executed(engine, pieces), start=1):
            self._take(piece, ended)
            self.record.progress(place, len(todo))
            self.record.say(telling.progress_line(place, len(todo), names[piece.name], ended))
        if len(self.failures) == len(self._planned):
            raise telling.nothing_left(list(self.failures), self._kept_failed())

    def _run_overview(self, inputs: Inputs, engine: LocalEngine) -> Components:
        components = self._overview(inputs)
        is_kept = self._store.get(key_of(components)) is not None
        self.record.plan(OVERVIEW, components, is_kept=is_kept)
        if is_kept:
            return components
        runs = self._work.folder / "runs"
        self._gather_runs(runs)
        piece = self._piece(OVERVIEW, {}, {"panel": inputs.panel, "runs": runs}, components)
        ((_, ended),) = self._executed(engine, [piece])
        self._held.demand_place()
        target = self._work.target(OVERVIEW)
        if ended.message is not None:
            self._demand_places(target, ended.message.en)
            raise telling.overview_failed(ended.message, self._kept_failed() / f"{OVERVIEW}.ipynb")
        if key_of(self._overview(inputs)) != piece.key:
            raise telling.facts_changed(FACTS)
        self._store.put(piece.key, target, {"name": OVERVIEW})
        self.record.ended(OVERVIEW, ended)
        return components

    def _render(self, components: dict[str, Components], engine: LocalEngine) -> dict[str, str]:
        """Render what is not in the store yet; give page keys by piece."""
        keys = {
            name: page_key(key_of(one), self.order.languages)
            for name, one in components.items()
            if name not in self.failures
        }
        todo = [name for name, key in keys.items() if self._store.get(key) is None]
        folder = self._work.folder / "pages"
        jobs: list[Job] = [
            {"run": str(self._kept(components[name]) / RUN), "out": str(folder / name)}
            for name in todo
        ]
        self._rendered(engine, jobs)
        for name in todo:
            self._store.put(keys[name], folder / name, {"name": name})
        return keys

    def _render_failures(self, inputs: Inputs, engine: LocalEngine) -> None:
        """Give every failed initiative a page that says what failed, and shows its last good one."""
        names = {one.id: one.name for one in inputs.declared}
        target = self._work.edition
        earlier = list_editions(self.out) if self.failures else []
        jobs: list[Job] = [
            {
                "run": str(target / "runs" / name),
                "out": str(target),
                "name": [names[name].zh, names[name].en],
                "overview": str(target / OVERVIEW),
                "last_good": last_good(earlier, name),
            }
            for name in self.failures
        ]
        self._rendered(engine, jobs)

    def _assemble(self, components: dict[str, Components], pages: dict[str, str]) -> None:
        """Put the edition's folder together from what is kept."""
        target = self._work.edition
        (target / "notebooks").mkdir(parents=True)
        copy_tree(self._work.panel, target / "panel")
        self._gather_runs(target / "runs")
        for name, one in components.items():
            executed = self._home(name, one) / NOTEBOOK
            if executed.exists():
                copy_bytes(executed, target / "notebooks" / f"{name}.ipynb")
            if name in pages:
                self._store.copy(pages[name], target)
        overview = self._kept(components[OVERVIEW]) / RUN
        copy_tree(overview, target / OVERVIEW)

    def _publish(
        self, components: dict[str, Components], inputs: Inputs, snapshot: Snapshot
    ) -> None:
        for label in changed_since(self.order, snapshot.inputs):
            self.record.warn(telling.changed_meanwhile(label))
        self._held.demand_place()
        body = self.record.manifest(
            self.order,
            key=self._edition_key(components),
            panel=inputs.key,
            failures=self.failures,
            data=data_of(self._work.edition / OVERVIEW),
        )
        self.published = publish(self._work.edition, self.out, next_stamp(self.out), body)
        refresh_listing(self.out)

    # -- parts ----------------------------------------------------------------------------------

    def _piece(
        self,
        name: str,
        parameters: dict[str, str],
        folders: dict[str, Path],
        components: Components | None = None,
    ) -> Piece:
        notebook = NAMES[name == OVERVIEW]
        return Piece(
            name=name,
            key=key_of(components or self._planned[name]),
            notebook=self._notebooks / notebook,
            parameters={**self.order.parameters, **parameters},
            folders=folders,
            timeout_seconds=self._means.timeout_seconds,
            memory_bytes=self._means.memory_bytes,
        )

    def _executed(self, engine: Engine, pieces: list[Piece]) -> Iterator[tuple[Piece, Ended]]:
        """Run pieces a few at a time, and give each as it ends."""
        # A cluster is kept busy by twice what it runs at a time; workers may still join.
        n_workers = 2 * engine.slots + 2 if self._means.cluster else self._means.workers
        pool = concurrent.futures.ThreadPoolExecutor(max_workers=max(n_workers, 1))
        waiting = {pool.submit(engine.run, one, self._work.target(one.name)): one for one in pieces}
        try:
            for done in as_they_end(waiting):
                yield waiting[done], done.result()
        finally:
            # The engine first, or the pool would wait for what it runs.
            if not all(one.done() for one in waiting):
                pool.shutdown(wait=False, cancel_futures=True)
                engine.stop()
            pool.shutdown()

    def _take(self, piece: Piece, ended: Ended) -> None:
        """Keep a good piece under its key; record a failed one, with its notebook."""
        self._held.demand_place()
        target = self._work.target(piece.name)
        self.record.ended(piece.name, ended)
        if ended.attempts > 1:
            self.record.warn(telling.tried_again(piece.name, ended.attempts))
        if ended.message is None:
            self._store.put(piece.key, target, {"name": piece.name})
            return
        self._demand_places(target, ended.message.en)
        shutil.rmtree(target / RUN, ignore_errors=True)
        save_failure(
            piece.name,
            ended.message,
            target / RUN,
            kind=ended.kind or "error",
            cell=ended.cell,
            roots=(target, self._work.folder, self.out),
        )
        self.failures[piece.name] = load_failures(target)[piece.name]

    def _rendered(self, engine: LocalEngine, jobs: list[Job]) -> None:
        """Render in as many processes as there are workers."""
        (self._work.folder / "pages").mkdir(exist_ok=True)
        n_workers = self._means.workers
        shares = [share for n in range(n_workers) if (share := jobs[n::n_workers])]
        with concurrent.futures.ThreadPoolExecutor(max_workers=n_workers) as pool:
            try:
                for done in as_they_end(
                    [pool.submit(self._render_share, engine, one) for one in shares]
                ):
                    done.result()
            except BaseException:
                engine.stop()  # or the pool would wait for what it runs
                raise

    def _render_share(self, engine: LocalEngine, jobs: list[Job]) -> None:
        printed = self._work.folder / "pages" / f"{sha256_json(jobs)[:12]}.txt"
        status = engine.call(
            "cps.runner.pages:render_task",
            json.dumps({"jobs": jobs, "languages": self.order.languages}).encode(),
            printed=printed,
            timeout=self._means.timeout_seconds * len(jobs),
        )
        if status != 0:
            self._demand_places(printed, tail(printed))
            raise telling.pages_failed(status, printed)

    def _demand_places(self, target: Path, said: str) -> None:
        """Raise for a process that found its folder full or gone: no fault of its initiative."""
        self._held.demand_place()
        # It may have found no room to say so either.
        is_full = shutil.disk_usage(self.out).free < _LEAST_BYTES
        if is_full or _DISK_FULL.search(said):
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
            raise telling.place_refused(full, self.out, room_needed(self.out))

    def _gather_runs(self, folder: Path) -> None:
        for name, one in self._planned.items():
            copy_tree(self._home(name, one) / RUN, folder / name)

    def _home(self, name: str, components: Components) -> Path:
        return self._work.target(name) if name in self.failures else self._kept(components)

    def _kept(self, components: Components) -> Path:
        return self._store.folder / key_of(components)

    def _kept_failed(self) -> Path:
        folder = self._work.folder / "evidence"
        folder.mkdir()
        for target in (self._work.folder / "pieces").iterdir():
            if (target / NOTEBOOK).exists():
                copy_bytes(target / NOTEBOOK, folder / f"{target.name}.ipynb")
        return keep_failed(folder, self.out, next_stamp(self.out))

    # -- keys -----------------------------------------------------------------------------------

    def _overview(self, inputs: Inputs) -> Components:
        return overview_components(
            {name: key_of(one) for name, one in self._planned.items()},
            self.failures,
            panel=inputs.panel,
            notebook=self._notebooks / "overview.ipynb",
            facts=FACTS,
            parameters=self.order.parameters,
        )

    def _edition_key(self, components: dict[str, Components]) -> str:
        pieces = {name: key_of(one) for name, one in components.items()}
        return key_of({"pieces": pieces, "languages": self.order.languages})

    def _edition_before(self) -> Edition | None:
        pointer = self.out / LATEST
        try:
            return read_edition(pointer)
        except DamagedError as error:
            if pointer.exists():
                self.record.warn(telling.damaged(pointer.resolve(), error))
            return None

    def _is_unchanged(self, inputs: Inputs, before: Edition) -> bool:
        """Say whether the newest edition is what this run would publish, whole and unharmed."""
        components = {**self._planned, OVERVIEW: self._overview(inputs)}
        if not before.is_complete or before.key != self._edition_key(components):
            return False
        try:
            read_edition(before.folder, is_checked=True)
        except DamagedError as error:
            self.record.warn(telling.damaged(before.folder, error))
            return False
        return True

    def _stay(self, before: Edition) -> None:
        for name, components in self._planned.items():
            self.record.plan(name, components, is_kept=True)
        self.published = before.folder
        self.record.status = "unchanged"
        refresh_listing(self.out)
        self._work.clear()
        self.record.lap("check")

    def _in_use(
        self,
        components: dict[str, Components],
        pages: dict[str, str],
        inputs: Inputs,
        before: Edition | None,
    ) -> set[str]:
        own = {inputs.key, *map(key_of, components.values()), *pages.values()}
        if before is None:
            return own
        # A change that is taken back makes nothing anew, pages neither.
        pieces = {str(one["key"]) for one in before.pieces.values()}
        rendered = (page_key(one, before.body["order"]["languages"]) for one in pieces)
        return {*own, before.body["panel"], *pieces, *rendered}

    @contextlib.contextmanager
    def _engines(self) -> Iterator[tuple[LocalEngine, Engine]]:
        """Yield the engine of this machine, and the one that runs the initiatives."""
        means = self._means
        with local_engine(
            is_cold=means.is_cold, kernel=means.kernel, warn=self.record.warn
        ) as local:
            if self._means.cluster is None:
                yield local, local
                return
            from cps.runner.cluster import ClusterEngine

            cluster = ClusterEngine(self._means.cluster, say=self.record.say)
            try:
                yield local, cluster
            finally:
                cluster.stop()
