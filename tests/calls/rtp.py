"""A voice: somebody who sings one note into a call, and hears who else sings which."""

from __future__ import annotations

import math
import re
import socket
import struct
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

RATE = 8000
FRAME = 160  # Samples of 20 ms, as PCMA: a byte each.
HEARD = RATE  # The last second is listened to.


class Voice:
    """A note of so many Hz at a UDP port. It is sent to whoever sends us media, which Asterisk does when it has joined
    the parties, or before that to where an SDP says."""

    def __init__(self, address: str, port: int, hertz: int) -> None:
        self.hertz = hertz
        self.port = port
        self._heard: deque[int] = deque(maxlen=HEARD)
        self._to: tuple[str, int] | None = None
        self._silent = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self._socket.settimeout(0.1)
        self._threads = [threading.Thread(target=work) for work in (self._sing, self._listen)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._silent.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def sing_to(self, sdp: str) -> None:
        """Where an SDP wants its media."""
        address, port = re.search(r"^c=IN IP4 (\S+)", sdp, re.M), re.search(r"^m=audio (\d+)", sdp, re.M)
        assert address
        assert port
        self._to = address[1], int(port[1])

    def hears(self, hertz: int) -> bool:
        """Whether this note is in what was heard lately: it is a good part of it."""
        samples = list(self._heard)
        if len(samples) < HEARD:
            return False
        angle = 2 * math.pi * hertz / RATE
        sine = sum(value * math.sin(angle * n) for n, value in enumerate(samples))
        cosine = sum(value * math.cos(angle * n) for n, value in enumerate(samples))
        return 2 * math.hypot(sine, cosine) / len(samples) > LOUD / 10

    def _sing(self) -> None:
        number = 0
        while not self._silent.is_set():
            if self._to:
                note = bytes(
                    _louder if math.sin(2 * math.pi * self.hertz * (number * FRAME + n) / RATE) > 0 else _lower
                    for n in range(FRAME)
                )
                header = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * FRAME, self.hertz)
                self._socket.sendto(header + note, self._to)
                number += 1
            time.sleep(FRAME / RATE)

    def _listen(self) -> None:
        while not self._silent.is_set():
            try:
                packet = self._socket.recv(2048)
            except TimeoutError:
                continue
            if packet[1] & 0x7F == 8:
                self._heard.extend(_LINEAR[byte] for byte in packet[12:])


def _linear(byte: int) -> int:
    """A sample of G.711 A-law."""
    byte ^= 0x55
    exponent, mantissa = (byte & 0x70) >> 4, (byte & 0x0F) << 4
    value = mantissa + 8 if exponent == 0 else (mantissa + 0x108) << (exponent - 1)
    return value if byte & 0x80 else -value


_LINEAR = [_linear(byte) for byte in range(256)]
_louder = min(range(256), key=lambda byte: abs(_LINEAR[byte] - 8000))
_lower = min(range(256), key=lambda byte: abs(_LINEAR[byte] + 8000))
LOUD = _LINEAR[_louder]
