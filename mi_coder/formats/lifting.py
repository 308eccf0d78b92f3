"""Fields of the conversation in files that have one message a line, where each message repeats them."""

from mi_coder.conversation import Conversation
from mi_coder.formats.fields import CONVERSATION_FIELDS

_NOT_LIFTED = frozenset({"conversation_id", "id", "messages"})


def lift_shared_fields(conversation: Conversation) -> None:
    """Move further fields that all messages carry with one value from the messages to the conversation.

    A single message shares everything with itself, so only CONVERSATION_FIELDS are taken from it. An empty string stays
    where it is: in CSV it stands for no value. Writing one message a line repeats the fields, so that nothing is lost.
    """
    first, *others = (message.extra for message in conversation.messages)
    for name, value in list(first.items()):
        if value == "" or name in _NOT_LIFTED or not (others or name in CONVERSATION_FIELDS):
            continue
        if all(name in extra and _is_same(extra[name], value) for extra in others):
            conversation.extra[name] = value
            for message in conversation.messages:
                del message.extra[name]


def _is_same(value: object, other: object) -> bool:
    """Equal and written alike: 1, 1.0 and true are equal in Python."""
    return value == other and repr(value) == repr(other)
