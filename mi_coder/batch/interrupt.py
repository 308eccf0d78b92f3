"""Stopping in good order: the first signal ends the run after the batch, the second at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mi_coder.errors import MiCoderError


class Interrupted(MiCoderError):
    """The run was stopped by a signal and can be resumed. `exit_code` is 128 + the number of the signal."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


class Stop:
    """Remembers the signal that asked for the end, if any."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number


@contextmanager
def catching_signals() -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into a request that is looked at between batches. Use it in the main thread."""
    stop = Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
