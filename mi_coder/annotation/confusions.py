"""Which codes are taken for which: what two codings of one message differ in."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product

from mi_coder.annotation.codings import Unit
from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often one coding has a code where the other has another one instead.

    Attributes:
        code: the one that comes first in the codebook.
        other: the other one; None where nothing stands in place of `code`.
        pairs: pairs of codings of one message that differ so.
        messages: ids of these messages, in the order of the units.
    """

    code: str
    other: str | None
    pairs: int
    messages: tuple[str, ...]


def confusions(units: Iterable[Unit]) -> list[Confusion]:
    """All confusions, the most frequent ones first.

    Of two codings of a message, each code that only the first has is set beside each that only the second has. Codes
    that one of them leaves open do not count.
    """
    found: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for unit in units:
        for one, other in combinations(unit.codings, 2):
            for codes in _differences(one, other):
                found[codes].append(unit.id)
    rows = [Confusion(*codes, len(places), tuple(dict.fromkeys(places))) for codes, places in found.items()]
    order = (*Codebook.load().ids, None)
    return sorted(rows, key=lambda row: (-row.pairs, order.index(row.code), order.index(row.other)))


def _differences(one: Gold, other: Gold) -> Iterator[tuple[str, str | None]]:
    mine, theirs = one.positive & other.negative, other.positive & one.negative
    if mine and theirs:
        for codes in product(mine, theirs):
            first, second = Codebook.load().in_order(codes)
            yield first, second
    else:
        for code in mine or theirs:
            yield code, None
