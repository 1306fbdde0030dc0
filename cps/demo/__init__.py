"""Demonstration data: a synthetic panel as ledger files, with its truth kept apart from them."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from cps.errors import RunError, Text, UsageError, unknown_choice
from cps.provenance import sha256_file, write_json

MODES: tuple[str, ...] = ("headline_true", "headline_spurious")
SEED = 20231231
_PREFIX = "合成_"


def write_demo(
    folder: Path | str, *, mode: str = "headline_true", seed: int = SEED
) -> tuple[Path, ...]:
    """Write the synthetic ledgers of one mode and, well apart from them, their truth.

    Both modes have the same growth of the target area's mean log income; in ``headline_spurious``
    no initiative has changed anything. The truth goes to ``../../truth/<folder name>.json``, seen
    from ``folder``, where no reading code looks. The same seed gives the same bytes.

    Parameters
    ----------
    folder : path
        New, empty, or of earlier demonstration ledgers, which are replaced.
    mode : {"headline_true", "headline_spurious"}
    seed : int

    Returns
    -------
    tuple of Path
        The ledger files, by name.

    Raises
    ------
    UsageError
        If the mode is unknown, or the folder holds anything else.
    """
    from cps.design.initiatives import load_initiatives

    if mode not in MODES:
        raise unknown_choice(Text("模式", "mode"), mode, MODES, where="write_demo(mode=…)")
    target = Path(folder).resolve()
    require_own(target)
    initiatives = load_initiatives()
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        from cps.demo._write import write_ledgers

        truth = write_ledgers(work, initiatives, is_spurious=mode == MODES[1], seed=seed)
        files = {path.name: sha256_file(path) for path in sorted(work.iterdir())}
        if target.exists():
            shutil.rmtree(target)
        work.chmod(0o755)
        work.rename(target)
        write_json(
            truth_path(target),
            {"synthetic": True, "mode": mode, "seed": seed, **truth, "files": files},
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return tuple(sorted(target.iterdir()))


def truth_path(folder: Path | str) -> Path:
    """Give where the truth of the ledgers in ``folder`` is kept."""
    target = Path(folder).resolve()
    return target.parent.parent / "truth" / f"{target.name}.json"


def load_truth(folder: Path | str) -> dict[str, Any]:
    """Read the truth behind the ledgers in ``folder``.

    Returns
    -------
    dict
        ``mode``, ``seed``, ``effects`` (initiative -> outcome -> village -> year -> 元 or persons),
        ``untreated_income_yuan`` (village -> year -> 元), ``idiosyncratic`` (village -> log points
        by year), ``years`` and ``files``.

    Raises
    ------
    RunError
        If there is none.
    """
    path = truth_path(folder)
    if not path.exists():
        raise RunError(
            Text("没有与示例台账对应的真值文件", "there is no truth for these ledgers"),
            where=str(path),
            mend=Text("用 cps demo 重新生成", "write them again with cps demo"),
        )
    truth: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return truth


def require_own(target: Path) -> None:
    """Refuse a folder that holds anything but demonstration ledgers, before it is written over."""
    if target.is_dir():
        foreign = [one.name for one in target.iterdir() if not one.name.startswith(_PREFIX)]
    else:
        foreign = [target.name] if target.exists() else []
    if foreign:
        raise UsageError(
            Text(
                "该文件夹里有不是示例数据的文件",
                "the folder holds files that are not demonstration data",
            ),
            where=f"{target} › {sorted(foreign)[0]}",
            mend=Text("换一个空文件夹（--out）", "choose an empty folder (--out)"),
        )
