"""What a run says while it goes on, and the errors that it ends with."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from cps.errors import RunError, StorageError, Text
from cps.runner.engine import Ended
from cps.runner.judge import tail


def kept_line(n_kept: int, n_all: int) -> Text:
    """Say how many initiatives were not run again."""
    return Text(
        f"{n_all} 个项目中 {n_kept} 个没有变化，沿用已有结果",
        f"{n_kept} of {n_all} initiatives are unchanged and not run again",
    )


def progress_line(place: int, total: int, name: Text, ended: Ended) -> Text:
    """Say how one initiative ended."""
    head = f"[{place}/{total}]"
    if ended.message is None:
        return Text(
            f"{head} {name.zh}：{ended.seconds:.1f} 秒", f"{head} {name.en}: {ended.seconds:.1f} s"
        )
    return Text(
        f"{head} {name.zh}：未完成\n{ended.message.zh}",
        f"{head} {name.en}: failed\n{ended.message.en}",
    )


def tried_again(name: str, attempts: int) -> Text:
    """Say that processes died under a piece."""
    return Text(
        f"{name} 的执行进程意外终止，共尝试 {attempts} 次",
        f"a process died under {name}; it was tried {attempts} times",
    )


def is_open(name: str) -> Text:
    """Say that a workbook may hold changes that are not on the disk."""
    return Text(
        f"{name} 正在 Excel 或 WPS 中打开，可能有未保存的修改",
        f"{name} is open in Excel or WPS: changes may not be saved yet",
    )


def changed_meanwhile(label: str) -> Text:
    """Say that an input is not any more what the run read."""
    return Text(
        f"{label} 在运行期间有变化；本版按开始时的内容计算",
        f"{label} changed during the run; this edition is of its state at the start",
    )


def damaged(folder: Path, error: Exception) -> Text:
    """Say that a published edition is not whole."""
    return Text(
        f"已发布的 {folder.name} 有文件损坏，重新生成（{error}）",
        f"the published {folder.name} is damaged and made anew ({error})",
    )


_MORE_OPEN_FILES = Text(
    "放宽可打开文件数（ulimit -n 1024）后重新运行；已发布的报告未受影响",
    "allow more (ulimit -n 1024), then run again; published reports are untouched",
)


def too_few_open_files(allowed: int, needed: int) -> StorageError:
    """Make the error for a limit of open files that no run can live with."""
    return StorageError(
        Text(
            f"系统只允许同时打开 {allowed} 个文件，至少需要 {needed} 个",
            f"only {allowed} open files are allowed, at least {needed} are needed",
        ),
        where="ulimit -n",
        mend=_MORE_OPEN_FILES,
    )


def place_refused(error: OSError, out: Path, needed_bytes: int) -> StorageError:
    """Make the error for a place that the system would not let a run write."""
    where = str(error.filename2 or error.filename or out)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        full = disk_is_full(Path(where))
        needed, free = needed_bytes / 1e6, _free_bytes(out) / 1e6
        return StorageError(
            Text(
                f"{full.what.zh}：剩余 {free:.1f} MB，一次运行约需 {needed:.0f} MB",
                f"{full.what.en}: {free:.1f} MB free, a run may need {needed:.0f} MB",
            ),
            where=where,
            mend=full.mend,
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return StorageError(
            Text(f"无法打开：{error.strerror}", f"can't be opened: {error.strerror}"),
            where=where,
            mend=_MORE_OPEN_FILES,
        )
    return StorageError(
        Text(f"无法写入：{error.strerror}", f"can't be written: {error.strerror}"),
        where=where,
        mend=Text(
            "检查磁盘空间和权限后重新运行；已发布的报告未受影响",
            "check disk space and permissions, then run again; published reports are untouched",
        ),
    )


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def disk_is_full(where: Path) -> StorageError:
    """Make the error for a notebook that found no room."""
    return StorageError(
        Text("磁盘已满", "the disk is full"),
        where=str(where),
        mend=Text(
            "释放空间后用 --resume 继续；已发布的报告未受影响",
            "free some space, then go on with --resume; published reports are untouched",
        ),
    )


def nothing_left(names: list[str], kept: Path) -> RunError:
    """Make the error for a run of which no initiative is left."""
    listed = ", ".join(names)
    return RunError(
        Text(
            f"{len(names)} 个项目全部未能完成，未发布页面（{listed}）",
            f"all {len(names)} runs failed and nothing was published ({listed})",
        ),
        where=str(kept),
        mend=Text(
            "按上面各项目的提示修改；已执行的 notebook 保存在该文件夹",
            "mend what the messages above say; the executed notebooks are kept there",
        ),
    )


def overview_failed(message: Text, notebook: Path) -> RunError:
    """Make the error for an overview that did not end well."""
    return RunError(
        Text(f"总览未能完成：{message.zh}", f"the overview failed: {message.en}"),
        where=str(notebook),
        mend=Text("打开该 notebook 查看出错的单元格", "open the notebook at the cell that failed"),
    )


def facts_changed(facts: Path) -> RunError:
    """Make the error for published facts that changed while the overview read them."""
    return RunError(
        Text(
            "核对所用的事实文件在运行期间有变化", "the facts changed while the overview read them"
        ),
        where=str(facts),
        mend=Text("再次运行；已完成的项目不会重算", "run again; what is finished is kept"),
    )


def pages_failed(status: int | None, printed: Path) -> RunError:
    """Make the error for pages that could not be rendered."""
    return RunError(
        Text(
            f"页面未能生成（{status}）：{tail(printed)}",
            f"pages could not be rendered ({status}): {tail(printed)}",
        ),
        where=str(printed),
        mend=Text("再次运行；如仍失败请报告", "run again; report it if it fails again"),
    )
