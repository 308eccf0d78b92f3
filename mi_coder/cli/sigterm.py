"""SIGTERM ends a verb in good order: what is half written goes."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click


class _Terminated(BaseException):
    """SIGTERM came; nothing outside this module sees it."""


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Leave with 143 on SIGTERM, by way of every `finally` of the block. Use it in the main thread."""
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except _Terminated:
        click.echo("Interrupted.", err=True)
        sys.exit(128 + signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: FrameType | None) -> None:
    raise _Terminated
