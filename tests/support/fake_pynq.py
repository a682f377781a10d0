"""As much of the package pynq as a driver uses, in front of a circuit that is simulated."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

Frames = Callable[[np.ndarray], np.ndarray]


class Buffer(np.ndarray):
    """Memory that a DMA reaches, until it is freed."""

    freed = False

    def freebuffer(self) -> None:
        assert not self.freed
        self.freed = True


class DefaultIP:
    """Registers at `description["registers"]`, by offset."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._registers = description["registers"]

    def read(self, offset: int) -> int:
        return self._registers[offset]  # type: ignore[no-any-return]

    def write(self, offset: int, value: int) -> None:
        self._registers[offset] = value


class Channel:
    """One direction of a simple DMA: a whole buffer is a packet, and one is waited for before the next one starts."""

    def __init__(self) -> None:
        self.buffer: Buffer | None = None

    def transfer(self, buffer: Buffer) -> None:
        assert self.buffer is None, "a transfer is under way"
        assert isinstance(buffer, Buffer) and buffer.dtype == np.uint8 and not buffer.freed
        self.buffer = buffer

    def wait(self) -> None:
        assert self.buffer is not None, "nothing was started"
        self.buffer = None


class Receiving(Channel):
    """What comes back: the circuit's answer to what was sent since the last one."""

    def __init__(self, sending: Channel, circuit: Frames) -> None:
        super().__init__()
        self._circuit = circuit
        self.sent: list[np.ndarray] = []
        original = sending.transfer

        def transfer(buffer: Buffer) -> None:
            original(buffer)
            self.sent.append(np.array(buffer))

        sending.transfer = transfer  # type: ignore[method-assign]

    def wait(self) -> None:
        assert self.buffer is not None and len(self.sent) == 1, "would wait for ever"
        self.buffer[:] = self._circuit(self.sent.pop())
        super().wait()


class DMA:
    """A DMA with a circuit, a function of the bytes of a frame, between its streams."""

    def __init__(self, circuit: Frames) -> None:
        self.sendchannel = Channel()
        self.recvchannel = Receiving(self.sendchannel, circuit)


def module() -> Any:
    """The package, with a list of the buffers that were allocated."""
    made: Any = ModuleType("pynq")
    made.DefaultIP, made.buffers = DefaultIP, []

    def allocate(shape: tuple[int, ...], dtype: Any) -> Buffer:
        made.buffers.append(np.full(shape, 0xAA, dtype).view(Buffer))
        return made.buffers[-1]  # type: ignore[no-any-return]

    made.allocate = allocate
    return made
