"""Keep a run in a folder: what it says in one file, what happened to be so in another."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any, cast

from cps.design.record import Design
from cps.errors import RunError, Text
from cps.provenance import atomic_path, sha256_file, write_json, write_text
from cps.runs.codec import decode, encode
from cps.runs.record import Run

SCHEMA = 3
CIRCUMSTANCES = "circumstances.json"
PANEL = "design.parquet"


def save_run(run: Run, folder: Path | str, *, design: Design | None = None) -> Path:
    """Write ``run.json`` (and the design's panel as ``design.parquet``) into ``folder``.

    These two are the same bytes whenever and wherever the same inputs are run; times, host and
    paths lie apart, in ``circumstances.json``, which nothing reads that makes a page. Each is
    written aside and renamed; ``run.json`` comes last, so that its presence means that the run is
    whole.

    Returns
    -------
    Path
        The path of ``run.json``.
    """
    target = Path(folder)
    panel = None if design is None else _parquet(design)
    files = {} if panel is None else {PANEL: hashlib.sha256(panel).hexdigest()}
    # All is ready before anything is written: a number that JSON can't hold leaves no file.
    text = _json({"schema": SCHEMA, "files": files, "run": encode(run)})
    if panel is not None:
        with atomic_path(target / PANEL) as temporary:
            temporary.write_bytes(panel)
    if run.circumstances is not None:
        write_json(target / CIRCUMSTANCES, encode(run.circumstances))
    write_text(target / "run.json", text)
    return target / "run.json"


def load_run(folder: Path | str) -> Run:
    """Read a run back from its folder.

    Raises
    ------
    RunError
        If it is missing, of another schema, or not what was saved.
    """
    path = Path(folder) / "run.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["schema"] != SCHEMA:
            raise _of_another_version(stored["schema"], path)
        for name, digest in stored["files"].items():
            if sha256_file(path.parent / name) != digest:
                raise ValueError(f"{name} is not the file that was saved")
        return cast(Run, decode(Run, stored["run"]))
    except FileNotFoundError as error:
        raise RunError(
            Text("没有保存的运行结果", "there is no saved run"),
            where=str(path),
            mend=Text("先运行该项目的 notebook", "run the initiative's notebook first"),
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            Text(f"运行结果已损坏：{error}", f"the saved run is damaged: {error}"),
            where=str(path),
            mend=Text("重新运行该项目", "run the initiative again"),
        ) from error


def _of_another_version(schema: Any, path: Path) -> RunError:
    return RunError(
        Text(
            f"运行结果由另一版本的 cps 保存（格式 {schema}，本版读取 {SCHEMA}）",
            f"the run was saved by another version of cps (schema {schema}; this one reads "
            f"{SCHEMA})",
        ),
        where=str(path),
        mend=Text(
            "重新运行该项目，或用当时的版本打开", "run the initiative again, or use that version"
        ),
    )


def load_runs(folder: Path | str) -> tuple[Run, ...]:
    """Read every run in the sub-folders of ``folder``, by name; folders without one are passed."""
    return tuple(load_run(path.parent) for path in sorted(Path(folder).glob("*/run.json")))


def _design_frame(design: Design) -> Any:
    import polars as pl

    n_periods = len(design.periods)
    return pl.DataFrame(
        {
            "unit": [unit for unit in design.units for _ in range(n_periods)],
            "period": list(design.periods) * len(design.units),
            design.outcome
            if design.outcome not in ("unit", "period")
            else "outcome": design.y_natural.ravel(),
            "cohort": [cohort for cohort in design.cohort for _ in range(n_periods)],
            "is_donor": [bool(is_donor) for is_donor in design.is_donor for _ in range(n_periods)],
        },
        schema_overrides={"cohort": pl.Int32, "period": pl.Int32},
    )


def _parquet(design: Design) -> bytes:
    # Each choice that could follow the machine or a later default is made here.
    written = io.BytesIO()
    _design_frame(design).rechunk().write_parquet(
        written, compression="zstd", compression_level=3, statistics=True, row_group_size=1 << 17
    )
    return written.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
