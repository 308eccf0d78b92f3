"""Conversations with gold codes, as training and evaluation read them."""

from collections.abc import Iterator
from pathlib import Path

from mi_coder.conversation import Conversation
from mi_coder.errors import UsageProblem
from mi_coder.formats.conversations import read_conversations
from mi_coder.formats.options import AS_CODED, ReadOptions

_TOLD_ONCE = ("split", "source_group", "corpus")


def gold_conversations(path: Path, read: ReadOptions = AS_CODED) -> Iterator[Conversation]:
    """The conversations of a file, which may be a tagged one. What decides their part stands in `extra`.

    In a file with one message a line, `split`, `source_group` and `corpus` hold for the whole conversation where any of
    its messages has them.

    Raises:
        UsageProblem: the messages of a conversation do not agree on one of these, or its id comes twice.
        MiCoderError: the file is malformed; names file, line and field.
    """
    seen: set[str] = set()
    for conversation in read_conversations(path, read):
        if conversation.id in seen:
            raise UsageProblem(
                f"{path}: the conversation id {conversation.id!r} comes twice, and gold codes belong to the one "
                "conversation of their id. Sort the file by conversation, or give the two conversations two ids."
            )
        seen.add(conversation.id)
        for name in _TOLD_ONCE:
            _tell(conversation, name, path)
        yield conversation


def _tell(conversation: Conversation, name: str, path: Path) -> None:
    told = {str(message.extra[name]) for message in conversation.messages if message.extra.get(name) not in (None, "")}
    if conversation.extra.get(name) not in (None, ""):
        told.add(str(conversation.extra[name]))
    else:
        conversation.extra.pop(name, None)
    if len(told) > 1:
        raise UsageProblem(
            f"{path}: the messages of conversation {conversation.id!r} have more than one {name}: "
            f"{', '.join(sorted(told))}. Give all of them the same, or none."
        )
    if told:
        conversation.extra.setdefault(name, told.pop())
