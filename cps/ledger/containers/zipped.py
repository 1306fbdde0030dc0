"""A zip archive checked before anything is unpacked: whole, plain, and of sensible size."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from xml.parsers import expat

from cps.errors import Text
from cps.ledger.containers.record import Unreadable, damaged, too_large

MAX_UNPACKED = 1 << 30
_MAX_RATIO, _RATIO_FROM = 300, 32 << 20
_MAX_MEMBERS = 4_096
_STEP = 1 << 20
_CLIMBS = re.compile(r"(^|[\\/])\.\.([\\/]|$)|^[\\/]|^[A-Za-z]:")
_CLEAN = Text(
    "不要打开该文件；请提供方从原系统重新导出", "do not open it; ask its keeper to export it again"
)


class Archive:
    """An archive whose directory has been checked; members are read once, to the end."""

    def __init__(self, raw: bytes, kind: str) -> None:
        """Check the directory.

        Raises
        ------
        Unreadable
            If it is damaged, encrypted, a bomb, holds a name twice or one that climbs out.
        """
        self.kind = kind
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(raw))
            members = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, IndexError) as error:
            raise damaged(kind, str(error)) from error
        self.names = [one.filename for one in members]
        self._read: set[str] = set()
        _check_directory(members, len(raw))

    def stream(self, name: str, feed: Callable[[bytes], object]) -> None:
        """Give a member's bytes to ``feed``, piece by piece; the checksum is checked at its end."""
        self._read.add(name)
        try:
            with self._zip.open(name) as member:
                while piece := member.read(_STEP):
                    feed(piece)
        except KeyError as error:
            raise damaged(self.kind, f"{name} is missing") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise damaged(self.kind, str(error)) from error
        except RuntimeError as error:
            raise damaged(self.kind, str(error)) from error

    def size(self, name: str) -> int:
        """Give a member's size unpacked, as the directory states it."""
        return self._zip.getinfo(name).file_size

    def read(self, name: str) -> bytes:
        """Give a member's bytes."""
        pieces: list[bytes] = []
        self.stream(name, pieces.append)
        return b"".join(pieces)

    def check_rest(self) -> None:
        """Check the sums of the members that nothing has read."""
        for name in self.names:
            if name not in self._read and not name.endswith("/"):
                self.stream(name, len)

    def parse(
        self,
        name: str,
        start: Callable[[str, dict[str, str]], object] | None,
        end: Callable[[str], object] | None = None,
        text: Callable[[str], object] | None = None,
    ) -> None:
        """Parse an XML member with handlers; document types and entities are refused."""
        parser = safe_parser()
        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = text
        try:
            self.stream(name, lambda piece: parser.Parse(piece, False))
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise damaged(self.kind, f"{name}: {error}") from error

    def parse_bytes(
        self, raw: bytes, name: str, start: Callable[[str, dict[str, str]], object]
    ) -> None:
        """Parse what is left of a member once its rows are read."""
        parser = safe_parser()
        parser.StartElementHandler = start
        try:
            parser.Parse(raw, True)
        except expat.ExpatError as error:
            raise damaged(self.kind, f"{name}: {error}") from error


def safe_parser() -> expat.XMLParserType:
    """Make an XML parser that refuses document types: they only serve entity attacks."""
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> int:
        raise Unreadable(
            "E-FILE-XML-ENTITY",
            Text("XML 中含有实体或文档类型声明", "its XML declares entities or a document type"),
            _CLEAN,
        )

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    return parser


def _check_directory(members: list[zipfile.ZipInfo], packed: int) -> None:
    if len(members) > _MAX_MEMBERS:
        raise too_large(f"压缩包内有 {len(members):,} 个文件", f"holds {len(members):,} members")
    total = sum(one.file_size for one in members)
    if total > MAX_UNPACKED or (total > _RATIO_FROM and total > _MAX_RATIO * packed):
        raise Unreadable(
            "E-FILE-BOMB",
            Text(
                f"{packed / 1e6:.1f} MB 的文件解压后为 {total / 1e6:,.0f} MB，疑为压缩炸弹",
                f"{packed / 1e6:.1f} MB unpack to {total / 1e6:,.0f} MB: a zip bomb, it seems",
            ),
            _CLEAN,
        )
    seen: set[str] = set()
    for one in members:
        if _CLIMBS.search(one.filename):
            raise Unreadable(
                "E-FILE-ZIP-PATH",
                Text("压缩包内有越出目录的路径", "a member's path climbs out of the archive"),
                _CLEAN,
                value=one.filename,
            )
        if one.filename.lower() in seen:
            raise Unreadable(
                "E-FILE-ZIP-TWICE",
                Text(
                    "压缩包内同名文件出现两次，不同软件会读到不同的数",
                    "a member is there twice: programs would read different numbers",
                ),
                _CLEAN,
                value=one.filename,
            )
        seen.add(one.filename.lower())
        if one.flag_bits & 0x1:
            raise encrypted()


def encrypted() -> Unreadable:
    """Make the refusal of a file that needs a password."""
    return Unreadable(
        "E-FILE-ENCRYPTED",
        Text("文件有打开密码", "the file needs a password to open"),
        Text("用 Excel 或 WPS 去除密码后另存", "remove the password and save it anew"),
    )
