"""What is said on a task's connection: one request with its files, then lines of JSON both ways."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_HEAD = struct.Struct(">4sII")  # mark, bytes of JSON, bytes of payload
_MARK = b"cps1"
_MOST_FILES = 8
PATH_BYTES = 107  # of an AF_UNIX address, without its closing NUL


@dataclass(slots=True)
class Request:
    """One task to fork: its order as JSON values, its payload and its open files."""

    order: dict[str, Any]
    payload: bytes
    files: list[int]


def send_request(
    connection: socket.socket, order: Mapping[str, Any], payload: bytes, files: Sequence[int]
) -> None:
    """Send a request; the files are duplicated by the kernel and stay the caller's."""
    text = json.dumps(order).encode()
    socket.send_fds(connection, [_HEAD.pack(_MARK, len(text), len(payload))], list(files))
    connection.sendall(text)
    connection.sendall(payload)


def send_line(connection: socket.socket, message: Mapping[str, Any]) -> None:
    """Send one message; short enough to go whole."""
    connection.sendall(json.dumps(message).encode() + b"\n")


class Lines:
    """Cut what arrives on a connection into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Give the messages that ``data`` completes."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in whole if line]


class Requests:
    """Put a request together from what arrives; a client may be slow, or die half-way."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._files: list[int] = []

    def feed(self, data: bytes, files: list[int]) -> Request | None:
        """Give the request once it is whole.

        Raises
        ------
        ValueError
            If it is none.
        """
        self._data += data
        self._files += files
        if len(self._data) < _HEAD.size:
            return None
        mark, text_bytes, payload_bytes = _HEAD.unpack_from(self._data)
        if mark != _MARK or not self._files:
            raise ValueError("no request")
        end = _HEAD.size + text_bytes
        if len(self._data) < end + payload_bytes:
            return None
        order = json.loads(self._data[_HEAD.size : end])
        request = Request(order, bytes(self._data[end : end + payload_bytes]), self._files)
        self._data, self._files = bytearray(), []
        return request

    def close(self) -> None:
        """Close the files of a request that was never whole."""
        for descriptor in self._files:
            os.close(descriptor)
        self._files = []


def receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Receive what is there, with files if any came; no bytes when the other side has closed."""
    data, files, _, _ = socket.recv_fds(connection, 1 << 18, _MOST_FILES, socket.MSG_CMSG_CLOEXEC)
    return data, files


def fits_address(path: str | os.PathLike[str]) -> bool:
    """Tell whether ``path`` can be the address of a socket."""
    return len(os.fsencode(path)) <= PATH_BYTES


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """Give the process id and user id of who connected."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", packed)
    return pid, uid
