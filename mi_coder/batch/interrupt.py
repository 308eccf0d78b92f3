"""Stopping in good order: the first signal ends the run after the batch, the second at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from mi_coder.batch.problems import Remedy, RunProblem

T = TypeVar("T")


class Interrupted(RunProblem):
    """The run was stopped by a signal. `exit_code` is 128 + the number of the signal."""

    def __init__(self, message: str, number: int, remedy: Remedy | None = None) -> None:
        super().__init__(message, remedy)
        self.exit_code = 128 + number


class _StopWaiting(BaseException):
    """Breaks off a wait for input; nothing outside this module sees it."""


class Stop:
    """Remembers the signal that asked for the end, if any. A wait for input ends at once, everything else in order."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._waiting = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        if self._waiting:
            raise _StopWaiting

    def wait_for(self, get: Callable[[], T]) -> T:
        """What `get` gives.

        Raises:
            Interrupted: a signal came first.
        """
        try:
            try:
                self._wait()
                return get()
            finally:
                self._waiting = False
        except _StopWaiting:
            raise Interrupted("Stopped while waiting for input.", self.signal or 0) from None

    def until_stopped(self, items: Iterator[T]) -> Iterator[T]:
        """The items, up to a signal that comes before the next."""
        try:
            try:
                while True:
                    self._wait()
                    item = next(items)
                    self._waiting = False
                    yield item
            finally:
                self._waiting = False
        except (StopIteration, _StopWaiting):
            return

    def _wait(self) -> None:
        """From now on a signal breaks the wait off; so does one that came before it."""
        self._waiting = True
        if self.signal is not None:
            raise _StopWaiting


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
