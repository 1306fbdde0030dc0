"""Keep a panel in a folder: parquet with its hash beside it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from cps.errors import Finding, PanelError, Text
from cps.ledger.rows import SourceFile
from cps.panel.record import VILLAGE_OUTCOMES, Outcome, Panel
from cps.provenance import atomic_path, sha256_file, write_json

SCHEMA = 1


def save_panel(panel: Panel, folder: Path | str) -> Path:
    """Write ``panel.parquet`` and, last, ``panel.json`` with its sha256.

    Returns
    -------
    Path
        The folder.
    """
    target = Path(folder)
    with atomic_path(target / "panel.parquet") as temporary:
        panel.frame.write_parquet(temporary)
    write_json(
        target / "panel.json",
        {
            "schema": SCHEMA,
            "sha256": sha256_file(target / "panel.parquet"),
            "frequency": panel.frequency,
            "unit_kind": panel.unit_kind,
            "is_synthetic": panel.is_synthetic,
            "outcomes": {name: dataclasses.asdict(one) for name, one in panel.outcomes.items()},
            "findings": [dataclasses.asdict(one) for one in panel.findings],
            "sources": [dataclasses.asdict(one) for one in panel.sources],
        },
    )
    return target


def load_panel(folder: Path | str) -> Panel:
    """Read a panel back.

    Raises
    ------
    PanelError
        If it is missing, of another schema, or not what was saved.
    """
    path = Path(folder) / "panel.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["schema"] != SCHEMA:
            raise ValueError(f"schema {stored['schema']}, expected {SCHEMA}")
        parquet = path.parent / "panel.parquet"
        # polars reads flipped bits without complaint.
        if sha256_file(parquet) != stored["sha256"]:
            raise ValueError("panel.parquet is not the file that was saved")
        return Panel(
            frame=pl.read_parquet(parquet),
            frequency=stored["frequency"],
            unit_kind=stored["unit_kind"],
            findings=tuple(_finding(one) for one in stored["findings"]),
            sources=tuple(SourceFile(**one) for one in stored["sources"]),
            is_synthetic=stored["is_synthetic"],
            outcomes=_outcomes(stored),
        )
    except FileNotFoundError as error:
        raise PanelError(
            Text("没有保存的面板", "there is no saved panel"),
            where=str(path.parent),
            mend=Text("先运行 make report 或 cps run", "run make report or cps run first"),
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise PanelError(
            Text(f"保存的面板已损坏：{error}", f"the saved panel is damaged: {error}"),
            where=str(path.parent),
            mend=Text("重新运行 make report 或 cps run", "run make report or cps run again"),
        ) from error


def _outcomes(stored: dict[str, Any]) -> Mapping[str, Outcome]:
    """Give the outcomes as they were saved; a panel of before they were saved is of villages."""
    if "outcomes" not in stored:
        return VILLAGE_OUTCOMES
    return {name: Outcome(**one) for name, one in stored["outcomes"].items()}


def _finding(stored: dict[str, Any]) -> Finding:
    texts = {key: Text(**stored[key]) for key in ("what", "mend")}
    return Finding(**{**stored, **texts})
