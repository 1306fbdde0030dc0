"""A folder as bytes, and bytes as a folder, for machines that share no file system."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path

from cps.errors import RunError, Text

MAX_FILES = 100_000
MAX_BYTES = 4 << 30  # of all files together, unpacked

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold: a bundle carries no times
_COPY_BYTES = 1 << 20
_SUM_BYTES = 32
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError),
    *(FileExistsError, NotADirectoryError, IsADirectoryError),  # a file and a folder of one name
)
_MODES = {False: stat.S_IFREG | 0o644, True: stat.S_IFDIR | 0o755}


def pack_folder(folder: Path) -> bytes:
    """Give everything in ``folder`` as bytes: equal folders give equal bytes.

    They are the sha256 of a zip and then the zip, whose own sums leave its directory uncovered.
    Names are sorted and dates fixed; neither owners nor permissions are kept. Empty folders are.

    Raises
    ------
    RunError
        If there is no such folder, or it holds a link or anything else that is no plain file.
    """
    if not folder.is_dir():
        raise _unfit(
            folder, Text("没有这个文件夹", "there is no such folder"), Text("检查路径", "check it")
        )
    found = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in found:
            is_folder = _demand_plain(path, name)
            entry = zipfile.ZipInfo(f"{name}/" if is_folder else name, _DATE)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = _MODES[is_folder] << 16
            entry.compress_type = zipfile.ZIP_STORED if is_folder else zipfile.ZIP_DEFLATED
            archive.writestr(entry, b"" if is_folder else path.read_bytes())
    content = packed.getvalue()
    return hashlib.sha256(content).digest() + content


def unpack(packed: bytes, folder: Path) -> Path:
    """Write what ``pack_folder`` gave into the new folder ``folder``, whole or not at all.

    It is written aside and renamed; ``folder`` may be there already if it is empty.

    Raises
    ------
    RunError
        If the bundle is damaged, or holds a name that climbs out, a link, two files of one name,
        or more than ``MAX_FILES`` files or ``MAX_BYTES`` bytes; or if ``folder`` is not empty.
    """
    if folder.is_dir():
        if any(folder.iterdir()):
            raise _unfit(
                folder,
                Text("目标文件夹不是空的", "the folder is not empty"),
                Text("换一个新文件夹", "give a new folder"),
            )
        folder.rmdir()
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name[:40]}."))
    try:
        try:
            with zipfile.ZipFile(io.BytesIO(_intact(packed, folder))) as archive:
                entries = archive.infolist()
                _demand_fit(entries, folder)
                for entry in entries:
                    _write(archive, entry, aside / entry.filename)
        except _BROKEN as error:
            raise _damaged(folder, Text(f"数据损坏：{error}", f"damaged: {error}")) from error
        aside.chmod(0o755)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _intact(packed: bytes, folder: Path) -> bytes:
    digest, content = packed[:_SUM_BYTES], packed[_SUM_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise _damaged(folder, Text("校验和不符", "its sum does not match"))
    return content


def _demand_plain(path: Path, name: str) -> bool:
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise _unfit(
            path,
            Text("不是普通文件", "this is no plain file"),
            Text("用文件本身代替链接或设备", "put the file itself in the place of the link"),
        )
    if not _is_plain_name(name):
        raise _unfit(
            repr(str(path)),
            Text("文件名不能跨系统使用", "this name can't be used on every system"),
            Text(
                "改名（UTF-8，不含反斜杠和控制字符）",
                "rename it: UTF-8, no backslash, no control sign",
            ),
        )
    return stat.S_ISDIR(mode)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Reading ends at the declared size and checks the sum, so a size can't be understated.
    with archive.open(entry) as source, path.open("xb") as target:
        shutil.copyfileobj(source, target, _COPY_BYTES)


def _demand_fit(entries: list[zipfile.ZipInfo], folder: Path) -> None:
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_FILES or total > MAX_BYTES:
        raise _damaged(
            folder,
            Text(
                f"过大：{len(entries)} 个文件，{total} 字节（上限 {MAX_FILES} 个，{MAX_BYTES} 字节）",
                f"too large: {len(entries)} files, {total} bytes "
                f"(at most {MAX_FILES} and {MAX_BYTES})",
            ),
        )
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename.removesuffix("/")
        if not _stays_inside(entry):
            raise _damaged(
                folder,
                Text(f"名称不能使用：{name!r}", f"a name that can't be used: {name!r}"),
            )
        if name in seen:
            raise _damaged(folder, Text(f"名称重复：{name!r}", f"a name twice: {name!r}"))
        seen.add(name)


def _stays_inside(entry: zipfile.ZipInfo) -> bool:
    name = entry.filename.removesuffix("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return (
        kind in (0, stat.S_IFREG, stat.S_IFDIR)
        and (kind != stat.S_IFDIR or entry.is_dir())
        and not entry.flag_bits & 0x1  # encrypted
        and _is_plain_name(entry.orig_filename.removesuffix("/"))
        and _is_plain_name(name)
    )


def _is_plain_name(name: str) -> bool:
    return not re.search(r"[\\\x00-\x1f\ud800-\udfff]|^[A-Za-z]:", name) and all(
        part not in ("", ".", "..") for part in name.split("/")
    )


def _unfit(place: Path | str, what: Text, mend: Text) -> RunError:
    return RunError(what, where=str(place), mend=mend)


def _damaged(folder: Path, why: Text) -> RunError:
    return RunError(
        Text(f"收到的数据包无法使用：{why.zh}", f"the bundle received can't be used: {why.en}"),
        where=str(folder),
        mend=Text(
            "重新运行；若仍如此，检查工作节点和网络",
            "run again; if it stays so, check the worker and the network",
        ),
    )
