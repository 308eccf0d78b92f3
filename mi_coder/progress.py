"""How far a run is, for whoever wants to show it."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Progress = Callable[[int, int], None]
"""Called with how many steps are done, of how many."""

_Item = TypeVar("_Item")


def unwatched(done: int, of: int) -> None:
    """Progress that nobody wants to see."""


def watched(items: Iterable[_Item], of: int, progress: Progress) -> Iterator[_Item]:
    """The items as they are, each of which is a step that is done when the next one is asked for."""
    for done, item in enumerate(items, start=1):
        yield item
        progress(done, of)
