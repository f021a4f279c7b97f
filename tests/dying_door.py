"""A door in front of a host, which shuts for good when a connection through it is broken off; knows no protocol."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

_RESET = struct.pack("ii", 1, 0)


class DyingDoor:
    """Forwards TCP to a port of loopback. When the host breaks a connection off, nobody gets in any more.

    Used as a context manager; `shut` does it by hand.
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.open = True
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()

    def __enter__(self) -> DyingDoor:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()

    def shut(self) -> None:
        """From now on connections are refused, and those that are open are reset."""
        self.open = False
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            lines, self._lines = self._lines, []
        for one in lines:
            _reset(one)

    def _accept(self) -> None:
        while self.open:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._behind))
            except OSError:
                return
            with self._lock:
                self._lines += [near, far]
            left = threading.Event()
            threading.Thread(target=self._carry_in, args=(near, far, left), daemon=True).start()
            threading.Thread(target=self._carry_out, args=(far, near, left), daemon=True).start()

    def _carry_in(self, client: socket.socket, host: socket.socket, left: threading.Event) -> None:
        """From the client; when it hangs up, so does the door."""
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                host.sendall(data)
        left.set()
        _reset(host)

    def _carry_out(self, host: socket.socket, client: socket.socket, left: threading.Event) -> None:
        """From the host; when it hangs up first, the door is shut."""
        with contextlib.suppress(OSError):
            while data := host.recv(65536):
                client.sendall(data)
        if not left.is_set():
            self.shut()


class CuttingDoor(DyingDoor):
    """A door that shuts when the answer of one kind of request comes: it was carried in, its answer is not carried out.

    A host that hangs up does not shut this one: HTTP hangs up after every answer.
    """

    def __init__(self, behind: int) -> None:
        super().__init__(behind)
        self._mark = b""
        self._doomed: set[socket.socket] = set()

    def cut(self, mark: bytes) -> None:
        """The next request with these bytes in it is the one."""
        self._mark = mark

    def _carry_in(self, client: socket.socket, host: socket.socket, left: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self._mark and self._mark in data:
                    self._doomed.add(host)
                host.sendall(data)
        left.set()

    def _carry_out(self, host: socket.socket, client: socket.socket, left: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := host.recv(65536):
                if host in self._doomed:
                    self.shut()
                    return
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            left.wait(10)
        host.close()
        client.close()


def _reset(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for it; closing does not
    line.close()
