"""A delivery's sidecar: what file came, from whom, under what licence, with which bytes."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path

from cps.errors import LedgerError, Text
from cps.ledger._log import Log, Source
from cps.provenance import atomic_path, sha256_file

ENDING = ".delivery.toml"


def sidecar(path: Path) -> Path:
    """Give the path of a file's sidecar: ``ledger.xlsx.delivery.toml``."""
    return path.with_name(path.name + ENDING)


def seal(path: Path, *, licence: str, supplier: str, received: datetime.date) -> Path:
    """Write a file's sidecar: its sha256, licence, supplier and day of receipt.

    Raises
    ------
    LedgerError
        If there is no such file.
    """
    if not path.is_file():
        raise LedgerError(
            Text("找不到台账", "there is no such ledger"),
            where=str(path),
            mend=Text("检查路径", "check the path"),
        )
    lines = [
        f'sha256 = "{sha256_file(path)}"',
        f"bytes = {path.stat().st_size}",
        f"licence = {_quoted(licence)}",
        f"supplier = {_quoted(supplier)}",
        f"received = {received.isoformat()}",
    ]
    target = sidecar(path)
    with atomic_path(target) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def check_sidecar(path: Path, sha256: str, name: str, log: Log, *, is_needed: bool = False) -> None:
    """Refuse a file whose bytes are not those that its sidecar states; note its licence.

    ``is_needed`` warns if there is none: of a format whose readers notice no damage.
    """
    beside = sidecar(path)
    source = Source(name, "")
    try:
        if not beside.is_file():
            if is_needed:
                log.add(
                    "W-FILE-NO-HASH",
                    "warn",
                    Text(
                        "该格式的读取程序发现不了损坏，且没有报送登记可供核对",
                        "readers of this format notice no damage, and no hash is registered",
                    ),
                    source=source,
                    mend=Text("用 cps seal 登记", "register it with cps seal"),
                )
            return
    except OSError:  # the ledger's own name leaves no room for the ending
        return
    try:
        stated = tomllib.loads(beside.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        log.add(
            "E-FILE-SIDECAR",
            "reject",
            Text(f"{beside.name} 不是有效的 TOML：{error}", f"{beside.name} is no TOML: {error}"),
            source=source,
            mend=Text("用 cps seal 重新生成", "write it again with cps seal"),
        )
        return
    if stated.get("sha256") != sha256:
        log.add(
            "E-FILE-CHANGED",
            "reject",
            Text(
                "文件与报送时登记的哈希值不同，已被改动",
                "its bytes are not those that were registered on delivery",
            ),
            source=source,
            mend=Text(
                "取回原件；改错用更正记录，不改原文件",
                "fetch the original; mend errors by corrections, never in the file",
            ),
            value=sha256[:16],
        )
        return
    log.add(
        "N-FILE-DELIVERY",
        "note",
        Text(
            f"报送登记相符：{stated.get('supplier', '')}，{stated.get('received', '')}，"
            f"许可：{stated.get('licence', '')}",
            f"as delivered by {stated.get('supplier', '')} on {stated.get('received', '')}, "
            f"licence: {stated.get('licence', '')}",
        ),
        source=source,
    )


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)
