"""Tagged chats of any format as turns."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mi_coder.conversation import Conversation
from mi_coder.errors import UsageProblem
from mi_coder.formats import ReadOptions, read_conversations
from mi_coder.formats.on_disk import is_on_disk
from mi_coder.formats.rejects import Reject
from mi_coder.measures.groups import names_in
from mi_coder.measures.quick import quick_chats
from mi_coder.measures.tally import Turn, turns_of

STDIN = "-"
_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Chat:
    """What counts of one conversation.

    Attributes:
        fields: the fields that groups are made by, as far as the conversation has them.
        gold: whether the codes are gold codes and not the tagger's.
    """

    id: str
    turns: list[Turn]
    fields: Mapping[str, Any]
    gold: bool = False

    @classmethod
    def of(cls, conversation: Conversation, gold: bool = False) -> "Chat":
        """A conversation in memory, with all of its fields: the tagger's codes, or gold codes."""
        return cls(conversation.id, list(turns_of(conversation, gold)), conversation.extra, gold)


def as_chat(given: Chat | Conversation, gold: bool = False) -> Chat:
    """A conversation by the tagger's codes, or gold codes; what is a chat already stays."""
    return Chat.of(given, gold) if isinstance(given, Conversation) else given


_NO_GROUPS = frozenset({"conversation_id", "messages"})


def read_chats(
    path: str | Path,
    fields: str | Sequence[str] = (),
    gold: bool = False,
    options: ReadOptions | None = None,
    on_reject: Callable[[Reject], None] | None = None,
) -> Iterator[Chat]:
    """The conversations of a file. Plain JSON Lines with one conversation a line and the usual names go a quick way.

    Args:
        fields: a field of the conversation to group by, or several.
        gold: count gold codes in place of the tagger's. A code that gold leaves open is neither present nor absent:
            the message does not count for its rate.
        on_reject: called with every bad record, which is then left out; without it the first one raises.

    Raises:
        MiCoderError: there is no such file, or a bad record, naming file and line; a field is no field to group by.
    """
    path, fields = str(path), names_in(fields)
    for name in _NO_GROUPS.intersection(fields):
        raise UsageProblem(f"{name} is no field to group by. Name one that several conversations share.")
    if path != STDIN and not Path(path).exists():
        raise UsageProblem(f"{path}: there is no such file. Check the name, or make it first:  mi-code tag CHATS")
    taken: set[str] = set()
    if options is None and not gold and path.endswith(".jsonl") and Path(path).is_file():
        for quick in quick_chats(Path(path), fields, taken):
            if quick is None:
                break
            yield Chat(*quick)
        else:
            return
    for conversation in read_conversations(path, options or ReadOptions(overwrite=True), on_reject):
        if conversation.id not in taken:
            known = {name: conversation.extra.get(name) for name in fields}
            yield Chat(conversation.id, list(turns_of(conversation, gold)), known, gold)


def read_files(
    paths: Iterable[str | Path],
    fields: str | Sequence[str] = (),
    gold: bool = False,
    on_reject: Callable[[Reject], None] | None = None,
) -> Iterator[Chat]:
    """The conversations of several files, one after another, as `read_chats` reads each.

    Raises:
        UsageProblem: a conversation is in two files, which would count twice.
        MiCoderError: as `read_chats`.
    """
    paths = list(paths)
    first_in: dict[str, int] = {}
    for number, path in enumerate(paths):
        for chat in read_chats(path, fields, gold, on_reject=on_reject):
            if (first := first_in.setdefault(chat.id, number)) != number:
                raise UsageProblem(
                    f"Conversation {chat.id!r} is in {paths[first]} and in {path}, and would count twice. Leave one of "
                    "the files out, or give the conversations ids of their own."
                )
            yield chat


def fields_of(paths: Sequence[str]) -> set[str] | None:
    """The names of the fields that the first conversations of each file have a value for, to group by.

    None where one of them is no file on disk, which cannot be read again.
    """
    if not all(map(is_on_disk, paths)):
        return None
    return {
        name
        for path in paths
        for conversation in islice(read_conversations(path, ReadOptions(overwrite=True), lambda _: None), _LOOKED_AT)
        for name, value in conversation.extra.items()
        if isinstance(value, str | int | float) and value != ""
    }
