"""Tagged chats in plain JSON Lines, decoded straight into the few fields that count, several times as fast."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from mi_coder.codebook import Codebook
from mi_coder.conversation import COUNSELOR, ROLE_ALIASES
from mi_coder.formats.coding import coding_from, gold_from
from mi_coder.formats.compress import open_source
from mi_coder.formats.jsonl import decode_object
from mi_coder.formats.lines import read_lines
from mi_coder.formats.options import DEFAULT_OPTIONS
from mi_coder.formats.rejects import BadRecord
from mi_coder.measures.tally import CODES, Turn

Quick = tuple[str, list[Turn], dict[str, Any]]
"""The id of a conversation, its turns, and the values of the fields that were asked for."""

_ATTRIBUTES = Codebook.load().attributes
_CODE: Any = Literal[CODES]
_Scores: Any = msgspec.defstruct(
    "_Scores",
    [(code, Annotated[float, msgspec.Meta(ge=0, le=1)], 0.0) for code in CODES],
    forbid_unknown_fields=True,
    gc=False,
)
_SAID: list[Any] = [
    ("role", str),
    ("text", str),
    ("id", str | int | None, None),
    ("codes", list[_CODE] | None, None),
    ("scores", _Scores | None, None),
    ("possible", list[_CODE] | None, None),
    ("depth", Literal[_ATTRIBUTES["depth"]] | None, None),
    ("permission", Literal[_ATTRIBUTES["permission"]] | None, None),
    ("review", bool, False),
    ("uncoded", str | None, None),
]
_RARE = ("sentences", "gold")
_Plain = str | int | float | bool | None
_NOT_SIMPLE = (msgspec.DecodeError, ValueError, RecursionError, KeyError, BadRecord, OSError)
"""A ValueError is a line that is not UTF-8, or a name of a field that the decoder cannot have."""


class _Unclear(BadRecord):
    """A record that the reader for all formats is to judge."""

    def __init__(self) -> None:
        super().__init__("wrong_type", "not simple")


def quick_chats(path: Path, fields: Sequence[str], taken: set[str]) -> Iterator[Quick | None]:
    """The conversations up to the first line that is not simple; None for that line.

    Simple is one conversation a line, under the usual names, that `read_conversations` accepts.

    Args:
        taken: empty; the ids of the conversations are put in.

    Raises:
        MiCoderError: the file cannot be opened.
    """
    fields = tuple(dict.fromkeys(fields))
    decode: Callable[[bytes], Any] | None = None
    with closing(open_source(path)) as opened:
        for _, _, _, line in read_lines(opened.stream, DEFAULT_OPTIONS.max_line_bytes):
            try:
                if isinstance(line, BadRecord):
                    raise line
                if not line or line.isspace():
                    continue
                if decode is None:
                    decode, decode_plain = _decoder(fields), _plain_decoder(fields, line)
                try:
                    chat = decode_plain(line)
                except msgspec.ValidationError:
                    _object(line)
                    chat = decode(line)
                _check_ids(chat)
                turns = [_turn(said) for said in chat.messages]
                if chat.conversation_id in taken:
                    raise _Unclear
            except _NOT_SIMPLE:
                yield None
                return
            taken.add(chat.conversation_id)
            yield chat.conversation_id, turns, {name: getattr(chat, f"field{i}") for i, name in enumerate(fields)}


def _decoder(fields: Sequence[str]) -> Callable[[bytes], Any]:
    """What decodes a line as a conversation and passes over further fields, whatever is wrong with them."""
    return _decoder_of([*_SAID, *((name, Any, None) for name in _RARE)], _further(fields, Any), strict=False)


def _plain_decoder(fields: Sequence[str], line: bytes) -> Callable[[bytes], Any]:
    """What decodes a line without gold and sentences that has no further fields but those of the line given, all plain.

    Nothing is passed over, so there is nothing else to check.

    Raises:
        BadRecord: the line given is no sound object.
    """
    like = _object(line)
    items = like.get("messages")
    names = {name for item in items if isinstance(item, dict) for name in item} if isinstance(items, list) else set()
    said = names.difference(_RARE, (name for name, *_ in _SAID))
    others = set(like).difference(fields, ("conversation_id", "messages"))
    messages = [*_SAID, *((name, None, None) for name in _RARE), *_further(sorted(said), _Plain)]
    return _decoder_of(messages, _further([*fields, *sorted(others)], _Plain), strict=True)


def _object(line: bytes) -> dict[str, Any]:
    """A line with all of its fields.

    Raises:
        BadRecord: it is no object, or a field cannot be kept.
    """
    decoded = decode_object(line)
    if isinstance(decoded, BadRecord):
        raise decoded
    return decoded


def _decoder_of(said: list[Any], further: list[Any], strict: bool) -> Callable[[bytes], Any]:
    message: Any = msgspec.defstruct("_Said", said, gc=False, forbid_unknown_fields=strict)
    own = [("conversation_id", str), ("messages", list[message])]
    chat = msgspec.defstruct("_Chat", [*own, *further], gc=False, forbid_unknown_fields=strict)
    return msgspec.json.Decoder(chat).decode


def _further(names: Sequence[str], kind: Any) -> list[Any]:
    return [(f"field{i}", kind, msgspec.field(default=None, name=name)) for i, name in enumerate(names)]


def _check_ids(chat: Any) -> None:
    """See that the conversation has an id, and that no two messages have the same."""
    ids = [said.id for said in chat.messages if said.id is not None]
    if not chat.conversation_id or len(set(map(str, ids))) < len(ids):
        raise _Unclear


def _turn(said: Any) -> Turn:
    role, codes, words = ROLE_ALIASES[said.role], said.codes, len(said.text.split())
    if codes is not None and len(codes) > 1 and len(set(codes)) < len(codes):
        raise _Unclear
    if said.possible is not None and len(set(said.possible)) < len(said.possible):
        raise _Unclear
    if said.sentences is not None or said.gold is not None:
        coding_from({"codes": [], "sentences": said.sentences})
        gold_from(said.gold)
    if codes is None and said.review and not said.uncoded:
        raise _Unclear
    if codes is None or role != COUNSELOR or said.uncoded:
        return Turn(role, None, None, None, words)
    return Turn(role, tuple(codes), said.depth, said.permission, words, said.review)
