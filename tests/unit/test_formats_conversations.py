"""Whole conversations in and out: grouping, gold codes, codings, further fields, files that appear whole."""

import gzip
import io
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding, Conversation, Gold, Message, SentenceCoding
from mi_coder.errors import MiCoderError, UnknownName
from mi_coder.formats import ReadOptions, Reject, open_writer, read_conversations, write_conversations

IDS = frozenset(Codebook.load().ids)
COMPLETE = Gold(frozenset({"REF", "SU"}), IDS - {"REF", "SU"}, (), "simple")
PARTIAL = Gold(frozenset({"GI"}), frozenset({"IP"}), (frozenset({"OQ", "CQ"}),), None, "with", "abuse")
SENTENCES = (
    SentenceCoding(0, 3, Coding(("SU",), {"SU": 0.9})),
    SentenceCoding(4, 9, Coding(("REF",), {}, "complex")),
)
CODING = Coding(("SU", "REF"), {"SU": 0.9, "REF": 0.5}, "complex", None, True, None, SENTENCES)
CHATS = [
    Conversation(
        "c1",
        [
            Message("client", "=hi\n-x", "m1", extra={"n": 1}),
            Message("counselor", "oh. I see.", "m2", COMPLETE, CODING),
            Message("counselor", "", None, PARTIAL, Coding((), {}, uncoded="empty")),
            Message("other", "Casey has left"),
        ],
    ),
    Conversation("c2", [Message("counselor", "bye", "m1", Gold(frozenset(), IDS), Coding(("OUT",), {}))]),
]


def read(*lines: Any, **options: Any) -> list[Conversation]:
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return list(read_conversations(io.BytesIO(content), ReadOptions(**options)))


def flat(**changed: Any) -> dict[str, Any]:
    return {"conversation_id": "c1", "role": "client", "text": "hello"} | changed


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.ndjson"])
@pytest.mark.parametrize("layout", ["conversation", "message"])
def test_what_is_written_reads_back(name: str, layout: Any, tmp_path: Path) -> None:
    write_conversations(CHATS, tmp_path / name, layout)
    assert list(read_conversations(tmp_path / name, ReadOptions(overwrite=True))) == CHATS


def test_further_fields_of_a_conversation_stay_with_it(tmp_path: Path) -> None:
    chats = [Conversation("c", [Message("client", "x"), Message("client", "y", extra={"mood": 2})], {"rating": 4})]
    write_conversations(chats, tmp_path / "nested.jsonl")
    assert list(read_conversations(tmp_path / "nested.jsonl")) == chats
    write_conversations(chats, tmp_path / "flat.jsonl", "message")
    assert list(read_conversations(tmp_path / "flat.jsonl")) == chats
    write_conversations(chats, tmp_path / "table.csv")
    (chat,) = read_conversations(tmp_path / "table.csv")
    assert chat.extra == {"rating": "4"}
    assert [message.extra for message in chat.messages] == [{"mood": ""}, {"mood": "2"}]


def test_what_all_messages_share_is_of_the_conversation() -> None:
    one = flat(split="dev", n=1, empty="", none=None, same=[1, {"a": 2}], some=True, messages=3)
    (chat,) = read(one, flat(split="dev", n=True, empty="", none=None, same=[1, {"a": 2}], messages=3))
    assert chat.extra == {"split": "dev", "none": None, "same": [1, {"a": 2}]}
    assert chat.messages[0].extra == {"n": 1, "empty": "", "some": True, "messages": 3}
    assert chat.messages[1].extra == {"n": True, "empty": "", "messages": 3}


def test_a_single_message_gives_known_fields_of_conversations_only() -> None:
    (chat,) = read(flat(corpus="x", source_group="g", split="", mood=2))
    assert chat.extra == {"corpus": "x", "source_group": "g"}
    assert chat.messages[0].extra == {"split": "", "mood": 2}


def test_each_conversation_has_its_own_fields() -> None:
    lines = [flat(conversation_id=name, rating=rating) for name, rating in (("a", 1), ("a", 1), ("b", 2), ("b", 3))]
    assert [chat.extra for chat in read(*lines)] == [{"rating": 1}, {}]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz", "a.parquet"])
def test_tables_hold_gold_and_codings(name: str, tmp_path: Path) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    write_conversations(CHATS, tmp_path / name, "message")
    back = list(read_conversations(tmp_path / name, ReadOptions(overwrite=True)))
    for old, new in zip(CHATS, back, strict=True):
        assert old.id == new.id
        for before, after in zip(old.messages, new.messages, strict=True):
            assert (before.role, before.text, before.id) == (after.role, after.text, after.id)
            assert (before.gold, before.coding) == (after.gold, after.coding)
            assert {**new.extra, **after.extra}.keys() == {"n"}


def test_a_table_and_its_tagged_copy_hold_the_same_texts(tmp_path: Path) -> None:
    texts = ["- hello", "'- hello", "''=x", "a\n+b", "plain", "'tis"]
    gold = Gold(frozenset({"SU"}), IDS - {"SU"})
    chats = [Conversation("c", [Message("counselor", text, gold=gold) for text in texts])]
    write_conversations(chats, tmp_path / "gold.csv")
    write_conversations(read_conversations(tmp_path / "gold.csv"), tmp_path / "tagged.csv")
    for name in ("gold.csv", "tagged.csv"):
        (chat,) = read_conversations(tmp_path / name)
        assert [message.text for message in chat.messages] == texts
    (tmp_path / "foreign.csv").write_text("conversation_id,role,text\nc,client,- hello\n")
    write_conversations(read_conversations(tmp_path / "foreign.csv"), tmp_path / "guarded.tsv")
    assert (tmp_path / "guarded.tsv").read_text() == "conversation_id\trole\ttext\nc\tclient\t'- hello\n"
    write_conversations(read_conversations(tmp_path / "foreign.csv"), tmp_path / "plain.csv", csv_guard=False)
    assert (tmp_path / "plain.csv").read_bytes() == (tmp_path / "foreign.csv").read_bytes()


def test_parquet_holds_conversations_too(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write_conversations(CHATS, tmp_path / "a.parquet")
    back = list(read_conversations(tmp_path / "a.parquet", ReadOptions(overwrite=True)))
    assert [[message.gold for message in chat.messages] for chat in back] == [
        [message.gold for message in chat.messages] for chat in CHATS
    ]


def test_gold_on_disk_is_short_and_in_the_order_of_the_codebook() -> None:
    sink = io.BytesIO()
    write_conversations(CHATS, sink)
    messages = [message for line in sink.getvalue().splitlines() for message in json.loads(line)["messages"]]
    assert [message.get("gold") for message in messages] == [
        None,
        {"codes": ["REF", "SU"], "depth": "simple"},
        {"positive": ["GI"], "negative": ["IP"], "any_of": [["OQ", "CQ"]], "permission": "with", "reason": "abuse"},
        None,
        {"codes": []},
    ]


def test_messages_are_grouped_as_they_follow_one_another() -> None:
    one, other = flat(), flat(conversation_id="c2")
    chats = read(one, one, other, one, non_contiguous="restart")
    assert [(chat.id, len(chat.messages)) for chat in chats] == [("c1", 2), ("c2", 1), ("c1", 1)]


def test_nested_conversations_of_one_id_are_not_joined() -> None:
    line = {"conversation_id": "c1", "messages": [{"role": "client", "text": "x"}]}
    assert len(read(line, line, duplicates="keep")) == 2


def test_further_fields_are_kept_and_known_ones_are_not() -> None:
    line = {"conversation_id": 1, "id": "m", "speaker": "user", "content": "x", "author": "kept", "codes": ["SU"]}
    (chat,) = read(line, overwrite=True)
    assert chat.messages[0].extra == {"author": "kept"}
    assert chat.messages[0].coding == Coding(("SU",), {})
    (chat,) = read({"id": "c", "conversation_id": "d", "messages": [], "rating": 1})
    assert (chat.id, chat.extra) == ("d", {"id": "c", "rating": 1})


def test_the_first_bad_record_raises_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(flat()) + "\n" + json.dumps(flat(text=["canary"])) + "\n")
    with pytest.raises(
        MiCoderError, match=r"in\.jsonl:2: the field 'text' must be a string.*\[wrong_type\]"
    ) as failure:
        list(read_conversations(path))
    assert "canary" not in str(failure.value)


def test_bad_records_may_be_collected() -> None:
    rejects: list[Reject] = []
    content = b"".join(json.dumps(line).encode() + b"\n" for line in (flat(), flat(role="bot"), flat(gold=3), flat()))
    (chat,) = read_conversations(io.BytesIO(content), on_reject=rejects.append)
    assert len(chat.messages) == 2
    assert [(reject.line, reject.code, reject.id) for reject in rejects] == [
        (2, "unknown_role", "c1"),
        (3, "wrong_type", "c1"),
    ]


@pytest.mark.parametrize(
    ("gold", "field"),
    [
        (3, "'gold'"),
        ([], "'gold'"),
        ("{oops", "'gold'"),
        ({"code": []}, "'gold'"),
        ({"codes": [], "positive": []}, "'gold'"),
        ({"codes": ["XX"]}, "'gold.codes'"),
        ({"codes": "SU"}, "'gold.codes'"),
        ({"codes": [1]}, "'gold.codes'"),
        ({"positive": {"SU": 1}}, "'gold.positive'"),
        ({"negative": ["su"]}, "'gold.negative'"),
        ({"positive": ["SU"], "negative": ["SU"]}, "'gold'"),
        ({"any_of": ["SU"]}, "'gold.any_of'"),
        ({"codes": ["REF"], "depth": "deep"}, "'gold.depth'"),
        ({"codes": ["PR"], "permission": True}, "'gold.permission'"),
        ({"codes": ["IP"], "reason": ["abuse"]}, "'gold.reason'"),
    ],
)
def test_bad_gold_names_its_field(gold: Any, field: str) -> None:
    with pytest.raises(MiCoderError, match=r"stdin:1: .*\[wrong_type\]") as failure:
        read(flat(gold=gold))
    assert field in str(failure.value)
    with pytest.raises(MiCoderError, match="message 2: the field") as failure:
        read({"id": "n", "messages": [flat(), flat(gold=gold)]})


def test_no_gold_is_not_empty_gold() -> None:
    written: list[Any] = [None, "", {}, {"codes": []}]
    golds = [read(flat(gold=gold))[0].messages[0].gold for gold in written]
    assert golds == [None, None, Gold(), Gold(frozenset(), IDS)]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"codes": "SU;XX"}, "'codes'"),
        ({"codes": [["SU"]]}, "'codes'"),
        ({"codes": {}}, "'codes'"),
        ({"codes": [], "scores": [1]}, "'scores'"),
        ({"codes": [], "scores": {"SU": "high"}}, "'scores'"),
        ({"codes": [], "scores": {"SU": 1.5}}, "'scores'"),
        ({"codes": [], "scores": {"SU": -0.2}}, "'scores'"),
        ({"codes": [], "scores": {"XX": 1}}, "'scores'"),
        ({"codes": [], "depth": 1}, "'depth'"),
        ({"codes": [], "review": "maybe"}, "'review'"),
        ({"codes": [], "review": []}, "'review'"),
        ({"codes": [], "uncoded": 1}, "'uncoded'"),
        ({"codes": [], "sentences": [1]}, "'sentences'"),
        ({"codes": [], "sentences": [{"start": 0, "end": 1}]}, "'sentences'"),
        ({"codes": [], "sentences": [{"start": "0", "end": 1, "codes": []}]}, "'sentences'"),
    ],
)
def test_a_bad_coding_names_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(MiCoderError, match=r"\[wrong_type\]") as failure:
        read(flat(**fields), overwrite=True)
    assert field in str(failure.value)


def test_fields_that_clash_are_refused_and_not_lost() -> None:
    for chat in (
        Conversation("c", [Message("client", "x", extra={"text": "y"})]),
        Conversation("c", [], {"messages": 1}),
    ):
        with pytest.raises(MiCoderError, match="rename it"):
            write_conversations([chat], io.BytesIO())


def _of_pandas() -> dict[str, Any]:
    pandas, numpy = pytest.importorskip("pandas"), pytest.importorskip("numpy")
    return {
        "whole": numpy.int64(3),
        "part": numpy.float64(0.5),
        "long": numpy.longdouble(0.25),
        "flag": numpy.bool_(True),
        "word": numpy.str_("x"),
        "cells": numpy.array([1, 2]),
        "day": numpy.datetime64("2024-05-31"),
        "at": pandas.Timestamp("2024-05-31T18:30:00.5Z"),
        "inner": {"n": numpy.int8(1), "list": [pandas.NA]},
        "none": pandas.NA,
        "never": pandas.NaT,
    }


def test_values_of_numpy_and_pandas_are_written_as_plain_ones(tmp_path: Path) -> None:
    extra = _of_pandas()
    write_conversations([Conversation("c", [Message("client", "x", extra=extra)], extra)], tmp_path / "a.jsonl")
    [chat] = read_conversations(tmp_path / "a.jsonl")
    assert (
        chat.messages[0].extra
        == chat.extra
        == {
            "whole": 3,
            "part": 0.5,
            "long": 0.25,
            "flag": True,
            "word": "x",
            "cells": [1, 2],
            "day": "2024-05-31T00:00:00",
            "at": "2024-05-31T18:30:00.500000Z",
            "inner": {"n": 1, "list": [None]},
            "none": None,
            "never": None,
        }
    )


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("a.csv", ["3", "true", "x", "2024-05-31T18:30:00.500000Z", None, None]),
        ("a.parquet", [3, True, "x", datetime(2024, 5, 31, 18, 30, 0, 500_000, UTC), None, None]),
    ],
)
def test_tables_hold_values_of_numpy_and_pandas(name: str, held: list[Any], tmp_path: Path) -> None:
    if name == "a.parquet":
        pytest.importorskip("pyarrow")
    said = [Message("client", "x"), Message("client", "y")]
    write_conversations([Conversation("c", said, _of_pandas())], tmp_path / name)
    [chat] = read_conversations(tmp_path / name)
    assert [chat.extra.get(field) for field in ("whole", "flag", "word", "at", "none", "never")] == held


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Path("x"), "PosixPath"),
        ([{"at": Path("x")}], "list"),
        ({"at": object()}, "dict"),
        ({(1, 2): "x"}, "dict"),
        ([{(1, 2): "x"}], "list"),
    ],
)
def test_a_value_that_no_file_holds_is_named(name: str, value: object, kind: str, tmp_path: Path) -> None:
    if name == "a.parquet":
        pytest.importorskip("pyarrow")
    said = (
        f"The field 'note' has or contains a value that no file holds (its type is {kind}). Make it text, a number, a "
        "date, or a list or dict of these."
    )
    for chat, where in (
        (Conversation("c", [Message("client", "x")], {"note": value}), "Conversation 'c'"),
        (
            Conversation("c", [Message("client", "x"), Message("client", "y", extra={"note": value})]),
            "Conversation 'c', message 2",
        ),
    ):
        with pytest.raises(MiCoderError) as refused:
            write_conversations([chat], tmp_path / name)
        assert str(refused.value) == f"{where}: {said}"


def test_gold_with_a_code_of_no_book_is_named() -> None:
    chat = Conversation("c", [Message("client", "x"), Message("counselor", "y", gold=Gold(frozenset({"OQQ"})))])
    with pytest.raises(
        UnknownName, match=r"^Conversation 'c', message 2: There is no code 'OQQ'\. Did you mean 'OQ'\?"
    ):
        write_conversations([chat], io.BytesIO())


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old")

    def failing() -> Iterator[Conversation]:
        yield CHATS[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_conversations(failing(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    write_conversations(CHATS, path)
    assert len(path.read_text().splitlines()) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_links_and_missing_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    with pytest.raises(MiCoderError, match="symbolic link"):
        write_conversations(CHATS, tmp_path / "link.jsonl")
    with pytest.raises(MiCoderError, match="No such file"):
        write_conversations(CHATS, tmp_path / "none" / "a.jsonl")
    with pytest.raises(MiCoderError, match=r"\.jsonl, \.csv"):
        write_conversations(CHATS, tmp_path / "a.docx")
    for name in ("a.parquet.gz", "a.parquet.zst"):
        with pytest.raises(MiCoderError, match=rf"{name}: Parquet is not written inside"):
            write_conversations(CHATS, tmp_path / name)


def test_the_same_conversations_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv.gz"):
        write_conversations(CHATS, tmp_path / name, "message")
        first = (tmp_path / name).read_bytes()
        os.utime(tmp_path / name, (1, 1))
        write_conversations(CHATS, tmp_path / name, "message")
        assert (tmp_path / name).read_bytes() == first


def test_a_writer_flushes_and_leaves_streams_open() -> None:
    sink = io.BytesIO()
    writer = open_writer(sink, "jsonl", "gz")
    writer.write({"a": 1})
    writer.flush()
    flushed = sink.getvalue()
    writer.close()
    assert not sink.closed
    assert gzip.decompress(sink.getvalue()) == b'{"a":1}\n'
    assert sink.getvalue().startswith(flushed)
    assert len(flushed) > 10


def test_a_writer_writes_files_and_stdout(tmp_path: Path, capfdbinary: Any) -> None:
    with open_writer(tmp_path / "a.jsonl.gz", "jsonl") as writer:
        writer.write({"a": "é"})
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == '{"a":"é"}\n'.encode()
    with pytest.raises(MiCoderError, match="No such file"):
        open_writer(tmp_path / "none" / "a.jsonl", "jsonl")
    with open_writer("-", "jsonl") as writer:
        writer.write({"a": 1})
    assert capfdbinary.readouterr().out == b'{"a":1}\n'
