"""ConvoKit corpus folders: utterances.jsonl, with speakers.json and conversations.json where they are there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mi_coder.errors import MiCoderError
from mi_coder.formats.compress import ByteSource
from mi_coder.formats.jsonl import decode_object, jsonl_rows
from mi_coder.formats.options import ReadOptions
from mi_coder.formats.rejects import BadRecord
from mi_coder.formats.rows import Row, Rows
from mi_coder.formats.sniff import read_beside


def convokit_rows(utterances: ByteSource, options: ReadOptions) -> Rows:
    """Give the utterances as flat messages: all their fields, with conversation_id (older corpora: root) and role.

    The role is the first of these that the table of roles knows: the utterance's meta.role, its own role, the speaker's
    meta.role, the speaker's id. `role_field` names another key than "role". A conversation's meta comes with each of
    its utterances as conversation_meta. speakers.json and conversations.json are held in memory.
    """
    return Rows(_rows(utterances, options))


def _rows(utterances: ByteSource, options: ReadOptions) -> Iterator[Row]:
    folder = Path(utterances.name).parent
    speakers = _metas(folder / "speakers.json")
    conversations = _metas(folder / "conversations.json")
    for line, byte, end, data in jsonl_rows(utterances, options).rows:
        if isinstance(data, dict):
            data = _message(data, speakers, conversations, options)
        yield line, byte, end, data


def _message(
    utterance: dict[str, Any], speakers: dict[str, Any], conversations: dict[str, Any], options: ReadOptions
) -> dict[str, Any]:
    message = dict(utterance)
    if "conversation_id" not in message and "root" in message:
        message["conversation_id"] = message["root"]
    name = _role_name(utterance, speakers, options)
    if name is not None:
        message["role"] = options.roles.role(name) or name
    meta = _entry(conversations, message.get("conversation_id"))
    if meta:
        message["conversation_meta"] = meta
    return message


def _role_name(utterance: dict[str, Any], speakers: dict[str, Any], options: ReadOptions) -> str | None:
    """The first name that the table of roles knows; where it knows none, the first name."""
    key = options.role_field or "role"
    speaker = utterance.get("speaker", utterance.get("user"))
    meta = utterance.get("meta")
    names = [
        meta.get(key) if isinstance(meta, dict) else None,
        utterance.get(key),
        _entry(speakers, speaker).get(key),
        speaker,
    ]
    written = [name for name in names if isinstance(name, str) and name]
    known = [name for name in written if options.roles.role(name)]
    return next(iter(known or written), None)


def _entry(metas: dict[str, Any], key: Any) -> dict[str, Any]:
    """The meta of a speaker or conversation; older corpora write it without the key "meta" around it."""
    entry = metas.get(key) if isinstance(key, str) else None
    if not isinstance(entry, dict):
        return {}
    meta = entry.get("meta", entry)
    return meta if isinstance(meta, dict) else {}


def _metas(path: Path) -> dict[str, Any]:
    content = read_beside(path)
    if content is None:
        return {}
    metas = decode_object(content)
    if isinstance(metas, BadRecord):
        raise MiCoderError(f"{path}: {metas.reason}.")
    return metas
