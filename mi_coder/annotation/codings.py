"""Brings the codings of the same messages together from several files of codes."""

from collections.abc import Sequence
from pathlib import Path

from mi_coder.annotation.agreement import Unit
from mi_coder.conversation import Gold
from mi_coder.corpora.standoff import read_standoff
from mi_coder.errors import UsageProblem


def read_units(paths: Sequence[Path]) -> list[Unit]:
    """Every message that any of the stand-off files codes, with all of its codings.

    A file may hold several codings of a message, by coders or rounds of their own.

    Raises:
        UsageProblem: a coder codes a message twice in one round, or two codings are of different texts.
        BadStandoff: a row that breaks the rules of the codebook; names file, line and field.
    """
    codings: dict[tuple[str, int], dict[tuple[str, str], Gold]] = {}
    texts: dict[tuple[str, int], str] = {}
    for path in paths:
        for row in read_standoff(path):
            place = (row.conversation_id, row.index)
            where = f"{path}: conversation {row.conversation_id!r}, message {row.index}"
            if texts.setdefault(place, row.text_hash) != row.text_hash:
                raise UsageProblem(f"{where}: the other coding is of another text. Compare codings of one corpus.")
            own = codings.setdefault(place, {})
            if (row.coder, row.round) in own:
                raise UsageProblem(f"{where}: coder {row.coder!r} codes it twice in round {row.round!r}. Remove one.")
            own[row.coder, row.round] = row.gold
    return [Unit(conversation, tuple(given.values())) for (conversation, _), given in codings.items()]
