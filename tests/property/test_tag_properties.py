"""Whatever the texts and fields are: order, ids and unknown fields are kept, and every record is accounted for."""

import io
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mi_coder.batch.interrupt import Stop
from mi_coder.batch.options import MaxErrors, TagOptions
from mi_coder.batch.run import tag_stream
from mi_coder.formats import OUTPUT_FIELDS, Reject, open_records
from mi_coder.tagger.tagger import Tagger

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
KNOWN = {"id", "conversation_id", "role", "text", "content", "speaker", "author", "messages", *OUTPUT_FIELDS}
EXTRA = st.dictionaries(TEXT.filter(lambda name: name not in KNOWN), JSON, max_size=3)
ROLES = st.sampled_from(["client", "counselor", "Helper ", "USER"])
CHATS = st.lists(st.lists(st.tuples(ROLES, TEXT, EXTRA), max_size=5), max_size=6)
BAD = st.sampled_from([b"{", b"[]", b"\xff", b'{"conversation_id": "x", "role": "client"}', b"NaN"])


def tagged(tagger: Tagger, content: bytes, size: int) -> tuple[list[dict[str, Any]], list[Reject]]:
    out, rejects = io.BytesIO(), []
    options = TagOptions(batch_size=size, max_errors=MaxErrors(100, percent=True))
    with open_records(io.BytesIO(content)) as reader:
        outcome = tag_stream(reader, out.write, rejects.append, tagger, options, lambda *_: None, Stop())
    records = [json.loads(line) for line in out.getvalue().split(b"\n")[:-1]]
    counts = outcome.counts
    assert (counts.read, counts.written, counts.rejected) == (len(records) + len(rejects), len(records), len(rejects))
    return records, rejects


def plain(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in OUTPUT_FIELDS}


@settings(max_examples=60)
@given(chats=CHATS, bad=st.lists(st.tuples(st.integers(0, 20), BAD), max_size=3), size=st.integers(1, 9))
def test_flat_and_nested(tagger: Tagger, chats: list[Any], bad: list[tuple[int, bytes]], size: int) -> None:
    flat = [
        {**extra, "conversation_id": f"c{at}", "id": place, "role": role, "text": text}
        for at, chat in enumerate(chats)
        for place, (role, text, extra) in enumerate(chat)
    ]
    lines = [json.dumps(record).encode() for record in flat]
    for place, line in bad:
        lines.insert(place, line)
    records, rejects = tagged(tagger, b"\n".join(lines), size)
    assert [plain(record) for record in records] == flat
    assert len(rejects) == len(bad)
    for record in records:
        counselor = record["role"] in ("counselor", "Helper ")
        assert ("codes" in record) == counselor
        assert not counselor or bool(record["codes"]) != (record.get("uncoded") == "empty")

    nested = [
        {
            "conversation_id": f"c{at}",
            "messages": [
                {**extra, "id": place, "role": role, "text": text} for place, (role, text, extra) in enumerate(chat)
            ],
        }
        for at, chat in enumerate(chats)
    ]
    conversations, _ = tagged(tagger, b"\n".join(json.dumps(record).encode() for record in nested), size)
    together = [message for record in conversations for message in record["messages"]]
    without_id = [{name: value for name, value in record.items() if name != "conversation_id"} for record in records]
    assert together == without_id
