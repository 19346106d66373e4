"""A cable between programs and the database, which can be cut, so that nothing is heard any more, and mended."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from contextlib import suppress

# Linux' socket filters. This one lets nothing through: what comes in is not even acknowledged.
SO_ATTACH_FILTER = 26
SO_DETACH_FILTER = 27
_NOTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
_FILTER = struct.pack("HP", 1, ctypes.addressof(_NOTHING))


class Cable:
    """Listens at a port of its own and passes on to another what comes, both ways."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._cut: list[socket.socket] = []
        self._lose = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """From now on neither side hears of the other: no answer, no refusal, no acknowledgement."""
        for end in (self._listener, *self._ends):
            with suppress(OSError):  # It is closed.
                end.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _FILTER)
        self._cut += self._ends
        self._ends.clear()

    def mend(self) -> None:
        """New connections go through. Those that were cut stay silent, as if a firewall had forgotten them."""
        self._listener.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)

    def lose_the_next_answer(self) -> None:
        """What is asked gets there, but its connection ends before the answer comes back."""
        self._lose = True

    def reset(self) -> None:
        """Every connection ends at once, as when a machine between was started anew."""
        for end in (*self._ends, *self._cut):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()
        self._cut.clear()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    def _accept(self) -> None:
        with suppress(OSError):  # It is closed.
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if one in self._cut:
                    return
                if self._lose and one.getpeername()[1] == self._to:
                    self._lose = False
                    other.shutdown(socket.SHUT_RDWR)
                    return
                other.sendall(data)
        if one not in self._cut:
            with suppress(OSError):
                other.shutdown(socket.SHUT_WR)
