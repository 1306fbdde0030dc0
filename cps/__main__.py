"""The command line: which commands there are, and the status that each ends with."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from cps.commands import claims, forecast, indicators, ledgers, others, run, schemes, watch
from cps.commands.common import language_option, own_language
from cps.errors import CpsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 done; 2 misuse, or a place that can't be used; 3 some runs failed; 4 another run holds
        the folder; 5 input refused; 128 and more, the signal that stopped it. 1 is a fault of ours.
    """
    for stream in (sys.stdout, sys.stderr):
        # What a console can't show is written as an escape; it never stops a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    given = _parser().parse_args(arguments)
    lang = getattr(given, "lang", None) or own_language()
    try:
        return int(given.command(given, lang))
    except CpsError as error:
        with contextlib.suppress(OSError):
            print(error.message(lang), file=sys.stderr, flush=True)
        return error.exit_code
    except BrokenPipeError:
        return 0  # whoever read what we print has seen enough


def command() -> None:
    """Run as a program; files and names are UTF-8 whatever the surroundings say."""
    if os.name == "posix" and sys.getfilesystemencoding().lower() != "utf-8":
        # Names of files can't be decoded otherwise, and the encoding is fixed when Python starts.
        words = [sys.executable, "-m", "cps", *sys.argv[1:]]
        environment = {**os.environ, "PYTHONUTF8": "1"}
        os.execve(sys.executable, [os.fsencode(one) for one in words], environment)  # noqa: S606
    status = main()
    for stream in (sys.stdout, sys.stderr):
        # What can't be written any more must not change the status as Python ends.
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    lang = language_option()
    parser = argparse.ArgumentParser(
        prog="cps",
        description="What village common-prosperity projects changed 共富项目效果评估",
        parents=[lang],
    )
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    for name, words, add in _COMMANDS:
        add(commands.add_parser(name, parents=[lang], help=words))
    return parser


_COMMANDS = (
    ("demo", "write the synthetic ledgers 生成示例台账", others.add_demo),
    ("run", "ledgers to pages 台账到报告", run.add_run),
    ("claims", "hold claims against a run 核对说法", claims.add_claims),
    ("indicators", "measure every indicator 计算全部指标", indicators.add_indicators),
    ("forecast", "foresee the year, warn early 年度预测与预警", forecast.add_forecast),
    ("schemes", "the other schemes of the source 其他举措", schemes.add_schemes),
    ("why", "what changed between two runs 两次运行之间有何变化", watch.add_why),
    ("status", "how the last run ended, and whether it is overdue 运行状态", watch.add_status),
    ("doctor", "check this installation 检查环境", watch.add_doctor),
    ("kernel", "install the warm kernel for JupyterLab 安装内核", watch.add_kernel),
    ("render", "a saved run to pages 重新生成页面", others.add_render),
    ("check", "check ledgers 检查台账", ledgers.add_check),
    ("seal", "register a delivery 登记报送", ledgers.add_seal),
    ("methods", "list estimators, inferences and checks 列出方法", others.add_methods),
    ("new", "draft a layout 起草版式", ledgers.add_new),
)


if __name__ == "__main__":
    command()
