"""Commands that look at runs and at the installation: why, status, doctor, kernel."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cps.commands.common import path, say, span
from cps.errors import Text

_ENDED = {  # how a run ended, in Chinese
    "published": "已发布",
    "partial": "部分项目失败，其余已发布",
    "unchanged": "没有变化",
    "failed": "失败",
    "rejected": "输入被拒",
    "interrupted": "中断",
}
_OVERDUE = 3


def add_why(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``why``."""
    parser.add_argument("run", nargs="?", default="latest", help="an edition [%(default)s]")
    parser.add_argument("--against", help="the edition to compare with [the one before]")
    parser.add_argument("--out", default="reports", help="[%(default)s]")
    parser.set_defaults(command=_why)


def add_status(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``status``."""
    parser.add_argument("--out", default="reports", help="[%(default)s]")
    parser.add_argument("--max-age", help="status 3 if the last success is older, as 36h, 35d, 5w")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(command=_status)


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``doctor``."""
    parser.add_argument("--out", default="reports", help="[%(default)s]")
    parser.set_defaults(command=_doctor)


def add_kernel(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``kernel``."""
    parser.add_argument("what", choices=("install",), help="what to do")
    parser.add_argument("--prefix", help="where [this Python's environment]")
    parser.set_defaults(command=_kernel)


def _why(given: argparse.Namespace, lang: str) -> int:
    from cps.runner.why import edition_before, find_edition, reasons

    out = Path(given.out).resolve()
    edition = find_edition(out, given.run)
    before = find_edition(out, given.against) if given.against else edition_before(out, edition)
    if before is None:
        name = edition.folder.name
        say(Text(f"{name}：此前没有运行", f"{name}: there was no run before it"), lang)
    else:
        pair = f"{before.folder.name} → {edition.folder.name}"
        say(Text(pair, pair), lang)
    for one in reasons(edition, before):
        if one.changes:
            listed = "；" if lang == "zh" else "; "
            told = listed.join(change.in_language(lang) for change in one.changes)
        else:
            told = Text("没有变化", "nothing changed").in_language(lang)
        how = _WORDS[one.status].in_language(lang)
        say(Text(f"  {one.name}（{how}）：{told}", f"  {one.name} ({how}): {told}"), lang)
    return 0


_WORDS = {
    "run": Text("重算", "run"),
    "kept": Text("沿用", "kept"),
    "failed": Text("未完成", "failed"),
}


def _status(given: argparse.Namespace, lang: str) -> int:
    from cps.runner.status import read_status

    found = read_status(Path(given.out).resolve())
    is_overdue = bool(given.max_age) and found.is_overdue(span(given.max_age, "--max-age"))
    if given.json:
        body = {
            "running": found.running,
            "interrupted": found.interrupted,
            "last": found.last,
            "last_success": found.last_success,
            "age_seconds": found.age_seconds,
            "is_overdue": is_overdue,
        }
        print(json.dumps(body, ensure_ascii=False, indent=1))
        return _OVERDUE if is_overdue else 0
    if found.running:
        who = f"pid {found.running.get('pid')}, {found.running.get('started')}"
        say(Text(f"正在运行（{who}）", f"a run goes on ({who})"), lang)
    if found.interrupted:
        at = found.interrupted["marked"]
        say(
            Text(
                f"{at} 的运行没有结束，可用 cps run --resume 继续",
                f"the run of {at} did not end: go on with cps run --resume",
            ),
            lang,
        )
    if found.last:
        ended, code = str(found.last.get("status")), found.last.get("exit_code")
        at = found.last.get("finished")
        told = _ENDED.get(ended, ended)
        say(Text(f"上次运行：{told}（{code}），{at}", f"last run: {ended} ({code}), {at}"), lang)
    never = Text("从未", "never").in_language(lang)
    success = found.last_success or never
    say(Text(f"上次成功：{success}", f"last success: {success}"), lang)
    if is_overdue:
        say(
            Text(
                f"已超过 {given.max_age} 没有成功的运行",
                f"overdue: no success within {given.max_age}",
            ),
            lang,
        )
        return _OVERDUE
    return 0


def _doctor(given: argparse.Namespace, lang: str) -> int:
    from cps.runner.doctor import examine

    found = examine(Path(given.out))
    signs = {"good": "✓", "note": "·", "bad": "✗"}
    for one in found:
        say(Text(f"{signs[one.grade]} {one.text.zh}", f"{signs[one.grade]} {one.text.en}"), lang)
    return 2 if any(one.grade == "bad" for one in found) else 0


def _kernel(given: argparse.Namespace, lang: str) -> int:
    from cps.runner.warm.kernelspec import install_kernelspec

    where = install_kernelspec(path(given.prefix))
    say(Text(f"已安装内核：{where}", f"installed the kernel: {where}"), lang)
    return 0
