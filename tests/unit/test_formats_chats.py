"""Pasted chats and ConvoKit folders as flat messages."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mi_coder.conversation import CLIENT, COUNSELOR, RoleTable
from mi_coder.errors import MiCoderError
from mi_coder.formats import ReadOptions, Record, Reject, open_records, read_conversations

ROWAN = RoleTable().extended({"Rowan B.": "counselor", "+44 7700 900123": "client"})


def chat(text: str, **options: Any) -> list[Record | Reject]:
    return list(open_records(io.BytesIO(text.encode()), ReadOptions(format="chat-text", roles=ROWAN, **options)))


def data(items: list[Record | Reject]) -> list[dict[str, Any]]:
    return [item.data for item in items if isinstance(item, Record)]


def test_a_plain_chat() -> None:
    first, second = chat("Client: I moved.\nIt is quiet\n\nhere: too quiet\nRowan B.: I see.\n")
    assert data([first, second]) == [
        {
            "conversation_id": "stdin",
            "turn": 1,
            "role": "client",
            "speaker": "Client",
            "text": "I moved.\nIt is quiet\n\nhere: too quiet",
        },
        {"conversation_id": "stdin", "turn": 2, "role": "counselor", "speaker": "Rowan B.", "text": "I see."},
    ]
    assert (first.line, first.byte, first.end, second.line, second.end) == (1, 0, 46, 5, 63)


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("[12/05/24, 21:14] {}", "12/05/24, 21:14"),
        ("[12.05.2024, 21:14:09] {}", "12.05.2024, 21:14:09"),
        ("\u200e[5/12/24, 9:14:09\u202fPM] {}", "5/12/24, 9:14:09\u202fPM"),
        ("12/05/2024, 21:14 - {}", "12/05/2024, 21:14"),
        ("5/12/24, 9:14 pm - {}", "5/12/24, 9:14 pm"),
        ("2024-05-12 21:14 \u2013 {}", "2024-05-12 21:14"),
        ("2024-05-12T21:14 - {}", "2024-05-12T21:14"),
        ("[21:14] {}", "21:14"),
    ],
)
@pytest.mark.parametrize("name", ["Rowan B.", "~ Rowan B.", "\u200eRowan B.", "+44 7700 900123"])
def test_stamped_chats(line: str, time: str, name: str) -> None:
    text = line.format(f"{name}: well: yes") + "\nClient: I said\n" + line.format("Client: ") + "\n"
    first, second = data(chat(text))
    assert (first["time"], first["text"]) == (time, "well: yes\nClient: I said")
    assert first["role"] == ("client" if name.startswith("+") else "counselor")
    assert (second["speaker"], second["text"], second["turn"]) == ("Client", "", 2)


@pytest.mark.parametrize("line", ["http://here.example", "note: this", "10:30 is fine", "a - b: c", "Client:x"])
def test_lines_that_only_look_like_messages_go_on_with_the_message(line: str) -> None:
    (record,) = data(chat(f"Client: hello\n{line}\n"))
    assert record["text"] == f"hello\n{line}"


def test_the_first_message_settles_whether_messages_are_stamped() -> None:
    (plain,) = data(chat("Client: a\n[21:14] Client: b\n"))
    assert plain["text"] == "a\n[21:14] Client: b"


def test_dashes_part_chats_and_the_file_names_them(tmp_path: Path) -> None:
    path = tmp_path / "friday.chat.txt"
    path.write_text("---\nClient: a\n---\n---\nListener: b\nClient: c\n----\n")
    conversations = list(read_conversations(path, ReadOptions(format="chat-text")))
    assert [(item.id, [message.text for message in item.messages]) for item in conversations] == [
        ("friday", ["a"]),
        ("friday#2", ["b", "c"]),
    ]
    assert [message.extra["turn"] for item in conversations for message in item.messages] == [1, 1, 2]


def test_unknown_names_are_kept_as_other_where_allowed() -> None:
    (record,) = data(chat("Casey: hello\n", unknown_role="other"))
    assert (record["role"], record["speaker"]) == ("Casey", "Casey")


def test_fields_chosen_for_tables_do_not_matter_to_chats() -> None:
    assert len(data(chat("Client: hello\n", text_field="said", role_field="who", conversation_field="chat"))) == 1


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    utterances = [
        {"id": "u1", "conversation_id": "u1", "speaker": "ann", "text": "hi", "reply_to": None, "meta": {}},
        {"id": "u2", "root": "u1", "user": "bob", "text": "hello", "meta": {"role": "listener", "part": 7}},
        {"id": "u3", "conversation_id": "u1", "speaker": "seeker", "text": "ok"},
        {"id": "u4", "conversation_id": "u4", "speaker": "ann", "text": "ah", "meta": {"role": "unheard of"}},
    ]
    (tmp_path / "utterances.jsonl").write_text("".join(json.dumps(line) + "\n" for line in utterances))
    (tmp_path / "speakers.json").write_text(
        json.dumps({"ann": {"meta": {"role": "client", "kind": "helper"}}, "bob": {}})
    )
    (tmp_path / "conversations.json").write_text(json.dumps({"u1": {"meta": {"rating": 4}}, "u4": {"rating": 2}}))
    return tmp_path


def test_a_convokit_folder_is_flat_messages(corpus: Path) -> None:
    with open_records(corpus) as reader:
        records = [item for item in reader if isinstance(item, Record)]
    assert reader.format == "convokit"
    assert [(record.conversation_id, record.messages[0].role) for record in records] == [
        ("u1", CLIENT),
        ("u1", COUNSELOR),
        ("u1", CLIENT),
        ("u4", CLIENT),
    ]
    assert records[1].data == {
        "id": "u2",
        "root": "u1",
        "user": "bob",
        "text": "hello",
        "meta": {"role": "listener", "part": 7},
        "conversation_id": "u1",
        "role": "counselor",
        "conversation_meta": {"rating": 4},
    }
    assert records[3].data["conversation_meta"] == {"rating": 2}


def test_the_role_of_a_speaker_may_stand_under_another_key(corpus: Path) -> None:
    records = [item for item in open_records(corpus, ReadOptions(role_field="kind")) if isinstance(item, Record)]
    assert records[0].messages[0].role == COUNSELOR


def test_a_convokit_folder_needs_only_its_utterances(corpus: Path) -> None:
    (corpus / "speakers.json").unlink()
    (corpus / "conversations.json").unlink()
    items = list(open_records(corpus))
    assert [getattr(item, "code", "ok") for item in items] == ["unknown_role", "ok", "ok", "unknown_role"]


def test_a_corpus_is_named_by_its_folder_or_its_utterances(corpus: Path) -> None:
    options = ReadOptions(format="convokit")
    assert len(list(open_records(corpus / "utterances.jsonl", options))) == 4
    with pytest.raises(MiCoderError, match="folder"):
        open_records(io.BytesIO(), options)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
@pytest.mark.parametrize("name", ["speakers.json", "conversations.json"])
@pytest.mark.parametrize("by_name", [True, False])
def test_a_pipe_or_device_beside_the_utterances_is_not_waited_for(corpus: Path, name: str, by_name: bool) -> None:
    source, options = (corpus / "utterances.jsonl" if by_name else corpus), ReadOptions(format="convokit")
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        (corpus / name).unlink()
        make(corpus / name)
        with pytest.raises(MiCoderError, match=f"{name} is a folder, pipe or device"):
            list(open_records(source, options))


def test_a_table_of_speakers_that_is_too_large_is_not_read(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (corpus / "speakers.json").open("wb") as file:
        file.truncate((256 << 20) + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("was read"))
    with pytest.raises(MiCoderError, match=r"speakers\.json is larger than 256 MiB"):
        list(open_records(corpus))


def test_a_broken_table_of_speakers_is_refused(corpus: Path) -> None:
    (corpus / "speakers.json").write_text("[1]")
    with pytest.raises(MiCoderError, match=r"speakers\.json"):
        list(open_records(corpus))
