"""The checks on one record: ids, roles, text, duplicates and order."""

from functools import lru_cache
from hashlib import blake2b
from typing import Any

from mi_coder.conversation import OTHER, Message, Role
from mi_coder.formats.fields import OUTPUT_FIELDS, first_of, names_of
from mi_coder.formats.hash_set import HashSet
from mi_coder.formats.options import ReadOptions
from mi_coder.formats.rejects import BadRecord

_OUTPUT_FIELDS = frozenset(OUTPUT_FIELDS)
_ID_LIMIT = 64


class _MessageFields:
    """Takes the checked fields out of decoded objects."""

    def __init__(self, options: ReadOptions) -> None:
        self.overwrite = options.overwrite
        self.keep_duplicates = options.duplicates == "keep"
        self._text_names = names_of("text", options.text_field)
        self._role_names = names_of("role", options.role_field)
        self._text_name = self._text_names[0]
        self._role_name = self._role_names[0]
        self._role_of = lru_cache(maxsize=256)(options.roles.role)
        self._unknown_role: Role | None = OTHER if options.unknown_role == "other" else None

    def message(self, data: dict[str, Any]) -> Message:
        """The message in `data`, with its id where it has one.

        Raises:
            BadRecord: a field is missing, of the wrong type or not allowed.
        """
        if not self.overwrite and not _OUTPUT_FIELDS.isdisjoint(data):
            raise _already_coded(data)
        text = data.get(self._text_name)
        if type(text) is not str:
            text = _string(data, self._text_names, "missing_text")
        name = data.get(self._role_name)
        if type(name) is not str or not name:
            name = _string(data, self._role_names, "missing_role")
        role = self._role_of(name) or self._unknown_role
        if role is None:
            raise BadRecord(
                "unknown_role",
                f"the field {self._role_names[0]!r} has a role that the table does not know; name it with "
                "--role NAME=counselor, or read it with --unknown-role other (in Python: `roles` and `unknown_role` of "
                "ReadOptions)",
            )
        message_id = data.get("id")
        if type(message_id) is not str or not message_id:
            message_id = _id(message_id, "id")
        return Message(role, text, message_id)


class MessageCheck:
    """Checks records of one message each. Keeps one 64-bit hash for every conversation and the ids of the current."""

    def __init__(self, options: ReadOptions) -> None:
        self._fields = _MessageFields(options)
        self._id_names = names_of("conversation_id", options.conversation_field)
        self._id_name = self._id_names[0]
        self._restart = options.non_contiguous == "restart"
        self._seen = HashSet()
        self._current: str | None = None
        self._message_ids: set[str] = set()

    def __call__(self, data: dict[str, Any]) -> tuple[str, list[Message]]:
        fields = self._fields
        conversation_id = data.get(self._id_name)
        if type(conversation_id) is not str or not conversation_id:
            conversation_id = _conversation_id(data, self._id_names)
        message = fields.message(data)
        if conversation_id != self._current:
            self._begin(conversation_id)
        if message.id is not None and not fields.keep_duplicates:
            if message.id in self._message_ids:
                raise BadRecord("duplicate_id", "an earlier message of this conversation has the same id")
            self._message_ids.add(message.id)
        return conversation_id, [message]

    def _begin(self, conversation_id: str) -> None:
        key = _hash(conversation_id)
        if key in self._seen and not self._restart:
            raise BadRecord(
                "non_contiguous",
                "this conversation began earlier and another came between; sort the file by conversation, "
                "or start it afresh with --non-contiguous restart (in Python: `non_contiguous` of ReadOptions)",
            )
        self._seen.add(key)
        self._current = conversation_id
        self._message_ids = set()


class ConversationCheck:
    """Checks records of one conversation each. Keeps one 64-bit hash for every conversation."""

    def __init__(self, options: ReadOptions) -> None:
        self._fields = _MessageFields(options)
        self._id_names = names_of("nested_conversation_id", options.conversation_field)
        self._seen = HashSet()

    def __call__(self, data: dict[str, Any]) -> tuple[str, list[Message]]:
        conversation_id = _conversation_id(data, self._id_names)
        items = data["messages"]
        if items is None:
            raise BadRecord("missing_messages", "the field 'messages' must be the list of messages, not null")
        if type(items) is not list:
            raise BadRecord("wrong_type", f"the field 'messages' must be a list, not {type_name(items)}")
        messages = [self._message(item, place) for place, item in enumerate(items, start=1)]
        if not self._fields.keep_duplicates:
            self._refuse_duplicates(conversation_id, messages)
        return conversation_id, messages

    def _message(self, item: Any, place: int) -> Message:
        if type(item) is not dict:
            raise BadRecord("wrong_type", f"message {place}: must be an object, not {type_name(item)}")
        try:
            return self._fields.message(item)
        except BadRecord as bad:
            raise BadRecord(bad.code, f"message {place}: {bad.reason}") from None

    def _refuse_duplicates(self, conversation_id: str, messages: list[Message]) -> None:
        ids = [message.id for message in messages if message.id is not None]
        if len(set(ids)) < len(ids):
            raise BadRecord("duplicate_id", "two messages of this conversation have the same id")
        key = _hash(conversation_id)
        if key in self._seen:
            raise BadRecord("duplicate_id", "an earlier conversation has the same id")
        self._seen.add(key)


def _string(data: dict[str, Any], names: tuple[str, ...], missing: str) -> str:
    """The string under the first of the names that `data` has.

    Raises:
        BadRecord: with the code `missing`, or wrong_type.
    """
    value = first_of(data, names)
    if value is None or (value == "" and missing == "missing_role"):
        raise BadRecord(missing, f"the field {names[0]!r} is missing or null or empty")
    if type(value) is not str:
        raise BadRecord("wrong_type", f"the field {names[0]!r} must be a string, not {type_name(value)}")
    return value


def _conversation_id(data: dict[str, Any], names: tuple[str, ...]) -> str:
    conversation_id = _id(first_of(data, names), names[0])
    if conversation_id is None:
        raise BadRecord("missing_conversation_id", f"the field {names[0]!r} is missing or empty")
    return conversation_id


def _id(value: Any, name: str) -> str | None:
    """An id as a string; null and the empty string count as no id."""
    if type(value) is str:
        return value or None
    if value is None:
        return None
    if type(value) is int:
        return str(value)
    raise BadRecord("wrong_type", f"the field {name!r} must be a string or a whole number, not {type_name(value)}")


def _hash(conversation_id: str) -> int:
    return int.from_bytes(blake2b(conversation_id.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _already_coded(data: dict[str, Any]) -> BadRecord:
    taken = ", ".join(repr(name) for name in OUTPUT_FIELDS if name in data)
    return BadRecord("already_coded", f"tagging would overwrite {taken}")


_TYPE_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


def type_name(value: Any) -> str:
    return "null" if value is None else _TYPE_NAMES.get(type(value), f"a {type(value).__name__}")


def readable_id(data: Any, options: ReadOptions) -> str | None:
    """The id to show for a record that was turned away: its own, else its conversation's, where it looks like one."""
    for name in ("id", *names_of("conversation_id", options.conversation_field)):
        value = data.get(name)
        if (type(value) is str and value) or type(value) is int:
            return str(value) if looks_like_an_id(str(value)) else None
    return None


def looks_like_an_id(value: str) -> bool:
    """Whether it can be shown: where columns are shifted, the text of a message stands in the place of an id."""
    return len(value) <= _ID_LIMIT and not any(map(str.isspace, value))
