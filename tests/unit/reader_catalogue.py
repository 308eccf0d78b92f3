"""Bad inputs, and for each the exact line and code of every reject. All texts are invented.

The reader is tested on it, and so is `mi-code tag` with --on-error skip and fail.
"""

import gzip
import importlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIMIT = 2000
"""The limit on line length that the cases of long lines need; every other line is shorter."""


@dataclass(frozen=True)
class Case:
    """A bad input.

    Attributes:
        file: name of the file to write and read; a folder is named for ConvoKit.
        content: its bytes, or a function that makes them.
        rejects: line and code of every reject, in order.
        good: number of accepted records.
        blank: number of blank lines.
        format: the format to name, where the suffix does not tell it.
        beside: further files by name.
    """

    name: str
    file: str
    content: bytes | Callable[[], bytes]
    rejects: list[tuple[int, str]]
    good: int
    blank: int = 0
    format: str | None = None
    beside: Mapping[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write the input into a folder; return the path to read."""
        content = self.content() if callable(self.content) else self.content
        for name, piece in {self.file: content, **self.beside}.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(piece)
        return folder / self.file.partition("/")[0]


@dataclass(frozen=True)
class Refused:
    """An input of which nothing can be read, and words that the error must hold."""

    name: str
    file: str
    content: bytes
    words: str


def message(conversation: Any = "c1", text: Any = "hello there", role: Any = "client", **more: Any) -> bytes:
    """A line of the flat layout."""
    return json.dumps({"conversation_id": conversation, "role": role, "text": text, **more}).encode() + b"\n"


def conversation(name: Any = "c1", *texts: str, **more: Any) -> bytes:
    """A line of the nested layout."""
    messages = [{"role": "client", "text": text} for text in texts or ("hello there",)]
    return json.dumps({"conversation_id": name, "messages": messages, **more}).encode() + b"\n"


def without(line: bytes, *names: str, **changed: Any) -> bytes:
    """A line with fields taken out or changed."""
    data = json.loads(line)
    return (
        json.dumps({name: value for name, value in {**data, **changed}.items() if name not in names}).encode() + b"\n"
    )


def in_messages(*items: Any) -> bytes:
    return json.dumps({"conversation_id": "bad", "messages": list(items)}).encode() + b"\n"


def raw(text: str | bytes, name: str = "text") -> bytes:
    """A flat line whose value under `name` is put in as it is."""
    value = text if isinstance(text, bytes) else text.encode()
    fields = {"conversation_id": b'"c1"', "role": b'"client"', "text": b'"x"', name: value}
    return b"{" + b", ".join(b'"' + key.encode() + b'": ' + value for key, value in fields.items()) + b"}\n"


def zst(content: bytes) -> bytes:
    return importlib.import_module("zstandard").ZstdCompressor().compress(content)


def parquet(rows: list[dict[str, Any]], *, row_group: int = 1000) -> bytes:
    arrow = importlib.import_module("pyarrow")
    sink = io.BytesIO()
    importlib.import_module("pyarrow.parquet").write_table(
        arrow.Table.from_pylist(rows), sink, row_group_size=row_group
    )
    return sink.getvalue()


def row(**changed: Any) -> dict[str, Any]:
    return {"conversation_id": "c1", "role": "client", "text": "hello there"} | changed


GOOD = message()
HEAD = b"conversation_id,role,text\n"
CELLS = b"c1,client,hello there\n"
TAB_HEAD = HEAD.replace(b",", b"\t")
TAB_CELLS = CELLS.replace(b",", b"\t")
DEEP = b"[" * 150 + b"]" * 150


def one(name: str, line: bytes, code: str) -> Case:
    """A bad line between two good ones, flat."""
    return Case(name, "in.jsonl", GOOD + line + GOOD, [(2, code)], 2)


def one_nested(name: str, line: bytes, code: str) -> Case:
    return Case(f"nested: {name}", "in.jsonl", conversation("a") + line + conversation("b"), [(2, code)], 2)


def one_cell(name: str, line: bytes, code: str) -> Case:
    return Case(f"csv: {name}", "in.csv", HEAD + CELLS + line + CELLS, [(3, code)], 2)


BYTES = [
    one("byte that is not UTF-8", raw(b'"caf\xe9"'), "invalid_utf8"),
    one("UTF-8 cut in a character", raw(b'"\xe2\x82"'), "invalid_utf8"),
    one("overlong UTF-8", raw(b'"\xc0\xaf"'), "invalid_utf8"),
    one("surrogate written as UTF-8", raw(b'"\xed\xa0\xbd"'), "invalid_utf8"),
    one("bytes that are not UTF-8 in a key", b'{"\xff": 1}\n', "invalid_utf8"),
    one("UTF-16 line", '{"text": "x"}'.encode("utf-16") + b"\n", "invalid_utf8"),
    one("raw NUL in a string", raw(b'"a\0b"'), "nul_byte"),
    one("line of NUL", b"\0" * 50 + b"\n", "nul_byte"),
    one("raw tab in a string", raw(b'"a\tb"'), "invalid_json"),
    one("byte-order mark in the middle", b"\xef\xbb\xbf" + GOOD, "invalid_json"),
    one("line that is too long", message(text="x" * LIMIT), "line_too_long"),
    one("line that is far too long", message(text="x" * 300_000), "line_too_long"),
    Case("last line too long, no newline", "in.jsonl", GOOD + b"x" * (LIMIT + 1), [(2, "line_too_long")], 1),
    Case("line of exactly the limit", "in.jsonl", GOOD.rstrip() + b" " * (LIMIT - len(GOOD) + 1) + b"\n", [], 1),
    Case("byte-order mark at the start", "in.jsonl", b"\xef\xbb\xbf" + GOOD, [], 1),
    Case("byte-order mark only", "in.jsonl", b"\xef\xbb\xbf", [], 0, blank=1),
    Case("empty file", "in.jsonl", b"", [], 0),
    Case("blank lines", "in.jsonl", b"\n" + GOOD + b" \t \r\n" + GOOD + b"\n\n", [], 2, blank=4),
    Case("CRLF", "in.jsonl", GOOD.replace(b"\n", b"\r\n") * 2, [], 2),
    Case("no newline at the end", "in.jsonl", GOOD + GOOD.rstrip(), [], 2),
    Case("half a last line", "in.jsonl", GOOD + GOOD[:20], [(2, "invalid_json")], 1),
    Case("CR only", "in.jsonl", (GOOD + GOOD).replace(b"\n", b"\r"), [(1, "invalid_json")], 0),
    Case("separators that are no newlines", "in.jsonl", raw('"a\u2028b\u2029c\x85d"') + GOOD, [], 2),
    Case(
        "only bad bytes",
        "in.jsonl",
        bytes(range(128, 256)) + b"\n" + b"\xff" * 9,
        [(1, "invalid_utf8"), (2, "invalid_utf8")],
        0,
    ),
]

JSON = [
    one("not JSON", b"hello there\n", "invalid_json"),
    one("single quotes", b"{'text': 'x'}\n", "invalid_json"),
    one("comma at the end", b'{"text": "x",}\n', "invalid_json"),
    one("two objects on a line", GOOD.rstrip() + GOOD, "invalid_json"),
    one("comment", b"// a note\n", "invalid_json"),
    one("open string", b'{"text": "x\n', "invalid_json"),
    Case(
        "object over several lines",
        "in.jsonl",
        GOOD + b'{\n"text": "x"\n}\n' + GOOD,
        [(2, "invalid_json"), (3, "invalid_json"), (4, "invalid_json")],
        2,
    ),
    one("NaN", raw("NaN", "rating"), "not_a_number"),
    one("Infinity", raw("Infinity", "rating"), "not_a_number"),
    one("minus Infinity", raw("-Infinity", "rating"), "not_a_number"),
    one("number beyond a float", raw("1e999", "rating"), "number_out_of_range"),
    one("number of 5000 digits", raw("1" * 1000 + "e5000", "rating"), "number_out_of_range"),
    one("first half of a surrogate pair", raw('"\\ud83d"'), "lone_surrogate"),
    one("second half of a surrogate pair", raw('"\\uDE00 x"'), "lone_surrogate"),
    one("list", b"[1]\n", "not_an_object"),
    one("number", b"7\n", "not_an_object"),
    one("string", b'"text"\n', "not_an_object"),
    one("null", b"null\n", "not_an_object"),
    one("150 levels", raw(DEEP, "more"), "too_deep"),
    one("900 levels", raw(b"[" * 900 + b"]" * 900, "more"), "too_deep"),
    Case("escaped NUL", "in.jsonl", raw('"a\\u0000b"') + GOOD, [], 2),
    Case("whole surrogate pair", "in.jsonl", raw('"\\ud83d\\ude00"') + GOOD, [], 2),
    Case("number of 30 digits", "in.jsonl", message(1234567890 * 10**20), [], 1),
    Case("100 levels", "in.jsonl", raw(b"[" * 99 + b"]" * 99, "more"), [], 1),
    Case("101 levels", "in.jsonl", GOOD + raw(b"[" * 100 + b"]" * 100, "more"), [(2, "too_deep")], 1),
]

FLAT = [
    one("no conversation id", without(GOOD, "conversation_id"), "missing_conversation_id"),
    one("null conversation id", message(None), "missing_conversation_id"),
    one("empty conversation id", message(""), "missing_conversation_id"),
    one("conversation id of the wrong type", message(["c1"]), "wrong_type"),
    one("conversation id true", message(True), "wrong_type"),
    one("conversation id 1.5", message(1.5), "wrong_type"),
    one("empty object", b"{}\n", "missing_conversation_id"),
    one("no text", without(GOOD, "text"), "missing_text"),
    one("null text", message(text=None), "missing_text"),
    one("text is a number", message(text=7), "wrong_type"),
    one("text is a list", message(text=["a"]), "wrong_type"),
    one("text is an object", message(text={"a": 1}), "wrong_type"),
    one("no role", without(GOOD, "role"), "missing_role"),
    one("null role", message(role=None), "missing_role"),
    one("empty role", message(role=""), "missing_role"),
    one("role is a number", message(role=1), "wrong_type"),
    one("unknown role", message(role="wizard"), "unknown_role"),
    one("role of spaces", message(role="  "), "unknown_role"),
    one("id of the wrong type", message(id={"a": 1}), "wrong_type"),
    one("already coded", message(codes=["SU"]), "already_coded"),
    one("already uncoded", message(uncoded="empty"), "already_coded"),
    one("a conversation among messages", conversation(), "mixed_layout"),
    Case("empty text", "in.jsonl", message(text="") + message(text="  "), [], 2),
    Case("whole number as ids", "in.jsonl", message(7, id=1) + message("7", id=2), [], 2),
    Case("content and speaker", "in.jsonl", without(GOOD, "text", "role", content="x", speaker="user"), [], 1),
    Case("null ids", "in.jsonl", message(id=None) + message(id=None), [], 2),
    Case("repeated key: the last wins", "in.jsonl", b'{"text": 1, ' + GOOD[1:], [], 1),
    Case(
        "id used twice", "in.jsonl", message(id="m") + message(id="m") + message("c2", id="m"), [(2, "duplicate_id")], 2
    ),
    Case("id as number and as string", "in.jsonl", message(id=1) + message(id="1"), [(2, "duplicate_id")], 1),
    Case(
        "conversation comes back",
        "in.jsonl",
        message("a") + message("b") + message("a") + message("b"),
        [(3, "non_contiguous")],
        3,
    ),
    Case(
        "a bad line does not part a conversation",
        "in.jsonl",
        message("a") + message("b", role="wizard") + message("a") + b"oops\n" + message("a"),
        [(2, "unknown_role"), (4, "invalid_json")],
        3,
    ),
    Case(
        "bad lines before the first good one",
        "in.jsonl",
        b"oops\n" + conversation(None) + message("a") + message("a"),
        [(1, "invalid_json"), (2, "missing_conversation_id")],
        2,
    ),
    Case(
        "every line is bad",
        "in.jsonl",
        b"a\nb\nc\n",
        [(1, "invalid_json"), (2, "invalid_json"), (3, "invalid_json")],
        0,
    ),
]

NESTED = [
    one_nested("no id", without(conversation(), "conversation_id"), "missing_conversation_id"),
    one_nested("empty id", conversation(""), "missing_conversation_id"),
    one_nested("id of the wrong type", conversation({"a": 1}), "wrong_type"),
    one_nested("no messages", without(conversation("z"), "messages"), "missing_messages"),
    one_nested("null messages", without(conversation("z"), messages=None), "missing_messages"),
    one_nested("messages is a string", without(conversation("z"), messages="hi"), "wrong_type"),
    one_nested("messages is an object", without(conversation("z"), messages={"role": "client"}), "wrong_type"),
    one_nested("a message is a string", in_messages("hi"), "wrong_type"),
    one_nested("a message is null", in_messages(None), "wrong_type"),
    one_nested(
        "a message without text", in_messages({"role": "client", "text": "x"}, {"role": "client"}), "missing_text"
    ),
    one_nested("a message without role", in_messages({"text": "x"}), "missing_role"),
    one_nested("a message of an unknown role", in_messages({"role": "wizard", "text": "x"}), "unknown_role"),
    one_nested("a text of the wrong type", in_messages({"role": "client", "text": 1}), "wrong_type"),
    one_nested("a message already coded", in_messages({"role": "client", "text": "x", "codes": []}), "already_coded"),
    one_nested("message id used twice", in_messages(*[{"id": 1, "role": "client", "text": "x"}] * 2), "duplicate_id"),
    one_nested("conversation id used twice", conversation("a"), "duplicate_id"),
    one_nested("a message among conversations", GOOD, "mixed_layout"),
    one_nested(
        "messages nested 150 levels", in_messages({"role": "client", "text": "x", "more": json.loads(DEEP)}), "too_deep"
    ),
    Case("nested: no messages in the list", "in.jsonl", without(conversation("a"), messages=[]), [], 1),
    Case("nested: id for conversation_id", "in.jsonl", without(conversation(), "conversation_id", id=5), [], 1),
    Case("nested: codes beside messages are the user's", "in.jsonl", conversation("a", codes="x", review=1), [], 1),
]

CSV = [
    one_cell("a column too many", b"c1,client,hello,there\n", "column_count"),
    one_cell("a column too few", b"c1,client\n", "column_count"),
    one_cell("byte that is not UTF-8", b"c1,client,caf\xe9\n", "invalid_utf8"),
    one_cell("raw NUL", b"c1,client,a\0b\n", "nul_byte"),
    one_cell("text after a closing quote", b'c1,client,"a" b\n', "invalid_csv"),
    one_cell("CR inside a bare cell", b"c1,client,a\rb\n", "invalid_csv"),
    one_cell("empty conversation id", b",client,hello\n", "missing_conversation_id"),
    one_cell("empty role", b"c1,,hello\n", "missing_role"),
    one_cell("unknown role", b"c1,wizard,hello\n", "unknown_role"),
    one_cell("cells all empty", b",,\n", "missing_conversation_id"),
    one_cell("line too long", b"c1,client," + b"x" * LIMIT + b"\n", "line_too_long"),
    Case(
        "csv: quote that never closes", "in.csv", HEAD + CELLS + b'c1,client,"oh\n' + CELLS, [(3, "unclosed_quote")], 2
    ),
    Case("csv: quote that opens on the last line", "in.csv", HEAD + CELLS + b'c1,client,"', [(3, "unclosed_quote")], 1),
    Case(
        "csv: quote that never closes, long file",
        "in.csv",
        HEAD + b'c1,client,"oh\n' + CELLS * 500,
        [(2, "unclosed_quote")],
        500,
    ),
    Case(
        "csv: stray quote that meets another",
        "in.csv",
        HEAD + b'c1,client,"oh\n' + CELLS + b'c1,client,"a ""fine"" day"\n' + CELLS,
        [(2, "invalid_csv")],
        3,
    ),
    Case("csv: quoted newlines", "in.csv", HEAD + b'c1,client,"a\n\nb"\n' + b"c1,client\n", [(5, "column_count")], 1),
    Case(
        "csv: bad bytes in a record of two lines",
        "in.csv",
        HEAD + b'c1,client,"a\n\xff"\n' + CELLS,
        [(2, "invalid_utf8")],
        1,
    ),
    Case("csv: byte-order mark and CRLF", "in.csv", b"\xef\xbb\xbf" + (HEAD + CELLS).replace(b"\n", b"\r\n"), [], 1),
    Case("csv: header in capitals", "in.csv", HEAD.upper() + CELLS, [], 1),
    Case("csv: blank lines", "in.csv", b"\n" + HEAD + b"\n" + CELLS + b" \n", [], 1, blank=3),
    Case("csv: header only", "in.csv", HEAD, [], 0),
    Case("csv: empty file", "in.csv", b"", [], 0),
    Case(
        "csv: already coded",
        "in.csv",
        b"conversation_id,role,text,codes\nc1,client,hello,\n",
        [(2, "already_coded")],
        0,
    ),
    Case("csv: conversation comes back", "in.csv", HEAD + CELLS + b"c2,client,x\n" + CELLS, [(4, "non_contiguous")], 2),
    Case("tsv: a column too many", "in.tsv", TAB_HEAD + TAB_CELLS + b"c1\tclient\ta\tb\n", [(3, "column_count")], 1),
    Case(
        "tsv: commas are text",
        "in.tsv",
        TAB_HEAD + b"c1\tclient\ta, b, c\n" + b"c1,client,x\n",
        [(3, "column_count")],
        1,
    ),
    Case("tsv: empty role", "in.tsv", TAB_HEAD + b"c1\t\tx\n" + TAB_CELLS, [(2, "missing_role")], 1),
]

CHAT = [
    Case(
        "chat: text before the first message",
        "in.txt",
        b"pasted on a Friday\nClient: hello\nListener: hi\nthere\n",
        [(1, "unparsed_line")],
        2,
        format="chat-text",
    ),
    Case("chat: unknown name", "in.txt", b"Client: hello\nRowan: hi\n", [(2, "unknown_role")], 1, format="chat-text"),
    Case(
        "chat: bad bytes",
        "in.txt",
        b"Client: hello\n\xff\xfe\nClient: x\n",
        [(2, "invalid_utf8")],
        2,
        format="chat-text",
    ),
    Case("chat: NUL", "in.txt", b"Client: hello\nClient: a\0b\n", [(2, "nul_byte")], 1, format="chat-text"),
    Case(
        "chat: line of the phone's system",
        "in.txt",
        b"[12/05/24, 21:14] Client: hello\n[12/05/24, 21:15] Messages are encrypted\n[12/05/24, 21:16] Listener: hi\n",
        [(2, "unparsed_line")],
        2,
        format="chat-text",
    ),
    Case(
        "chat: dashes and a line of the system",
        "in.txt",
        "12/05/2024, 21:14 - Client: hello\n12/05/2024, 9:15\u202fpm - Client left\nmore of it\n".encode(),
        [(2, "unparsed_line"), (3, "unparsed_line")],
        1,
        format="chat-text",
    ),
    Case(
        "chat: message that is too long",
        "in.txt",
        b"Client: hello\n" + b"and more of it\n" * 200 + b"Listener: hi\n",
        [(1, "line_too_long")],
        1,
        format="chat-text",
    ),
    Case("chat: blank lines", "in.txt", b"\nClient: a\n\nb\n\nListener: c\n\n", [], 2, blank=3, format="chat-text"),
    Case("chat: two chats", "in.txt", b"---\nClient: a\n---\nClient: b\n-----\n", [], 2, blank=3, format="chat-text"),
]

UTTERANCE = {
    "id": "u1",
    "conversation_id": "u1",
    "speaker": "ann",
    "text": "hello",
    "timestamp": 1,
    "reply_to": None,
    "meta": {},
}
SPEAKERS = json.dumps({"ann": {"meta": {"role": "seeker"}}, "bob": {"meta": {}}}).encode()


def utterance(**changed: Any) -> bytes:
    return json.dumps({**UTTERANCE, **changed}).encode() + b"\n"


CONVOKIT = [
    Case(
        f"convokit: {name}",
        "corpus/utterances.jsonl",
        utterance() + line + utterance(id="u3"),
        [(2, code)],
        2,
        beside={"corpus/speakers.json": SPEAKERS},
    )
    for name, line, code in [
        ("speaker without a role", utterance(id="u2", speaker="bob"), "unknown_role"),
        ("no speaker", utterance(id="u2", speaker=None), "missing_role"),
        ("no text", utterance(id="u2", text=None), "missing_text"),
        ("text of the wrong type", utterance(id="u2", text=5), "wrong_type"),
        ("no conversation", utterance(id="u2", conversation_id=None), "missing_conversation_id"),
        ("id used twice", utterance(), "duplicate_id"),
        ("not JSON", b"{oops\n", "invalid_json"),
        ("not UTF-8", b'{"text": "\xff"}\n', "invalid_utf8"),
    ]
]

COMPRESSED = [
    Case("gz: bad line", "in.jsonl.gz", gzip.compress(GOOD + b"oops\n" + GOOD), [(2, "invalid_json")], 2),
    Case("gz: without the suffix", "in.jsonl", gzip.compress(GOOD + b"oops\n" + GOOD), [(2, "invalid_json")], 2),
    Case("gz: the suffix only", "in.jsonl.gz", GOOD + b"oops\n", [(2, "invalid_json")], 1),
    Case(
        "gz: two members",
        "in.jsonl.gz",
        gzip.compress(GOOD) + gzip.compress(b"oops\n" + GOOD),
        [(2, "invalid_json")],
        2,
    ),
    Case("gz: padded with zeros", "in.jsonl.gz", gzip.compress(GOOD) + b"\0" * 600, [], 1),
    Case("gz: cut at the checksum", "in.jsonl.gz", gzip.compress(GOOD * 3)[:-4], [(4, "truncated_file")], 3),
    Case("gz: two bytes only", "in.jsonl.gz", b"\x1f\x8b", [(1, "truncated_file")], 0),
    Case(
        "gz: second member cut",
        "in.jsonl.gz",
        gzip.compress(GOOD) + gzip.compress(GOOD)[:5],
        [(2, "truncated_file")],
        1,
    ),
    Case("gz: rubbish behind", "in.jsonl.gz", gzip.compress(GOOD) + b"rubbish" * 300, [(2, "corrupt_file")], 1),
    Case("gz: header damaged", "in.jsonl.gz", b"\x1f\x8b\x99" + gzip.compress(GOOD)[3:], [(1, "corrupt_file")], 0),
    Case("gz: csv", "in.csv.gz", gzip.compress(HEAD + CELLS + b"c1,client\n"), [(3, "column_count")], 1),
    Case("gz: csv cut", "in.csv.gz", gzip.compress(HEAD + CELLS * 2)[:-3], [(4, "truncated_file")], 2),
    Case("gz: chat", "in.txt.gz", gzip.compress(b"Client: a\n\xff\n"), [(2, "invalid_utf8")], 1, format="chat-text"),
    Case("gz: empty", "in.jsonl.gz", gzip.compress(b""), [], 0),
    Case("zst: bad line", "in.jsonl.zst", lambda: zst(GOOD + b"oops\n" + GOOD), [(2, "invalid_json")], 2),
    Case("zst: two frames", "in.jsonl.zst", lambda: zst(GOOD) + zst(b"oops\n" + GOOD), [(2, "invalid_json")], 2),
    Case("zst: cut", "in.jsonl.zst", lambda: zst(GOOD)[:-5], [(1, "truncated_file")], 0),
    Case("zst: second frame cut", "in.jsonl.zst", lambda: zst(GOOD * 2) + zst(GOOD)[:-3], [(3, "truncated_file")], 2),
    Case("zst: rubbish behind", "in.jsonl.zst", lambda: zst(GOOD) + b"rubbish" * 300, [(2, "corrupt_file")], 1),
    Case("zst: csv", "in.csv.zst", lambda: zst(HEAD + CELLS + b"c1,client\n"), [(3, "column_count")], 1),
    Case("zst: empty", "in.jsonl.zst", lambda: zst(b""), [], 0),
]

PARQUET = [
    Case(f"parquet: {name}", "in.parquet", lambda rows=rows: parquet(rows), rejects, len(rows) - len(rejects))
    for name, rows, rejects in [
        ("null text", [row(), row(text=None), row()], [(2, "missing_text")]),
        ("null role", [row(), row(role=None), row()], [(2, "missing_role")]),
        ("null conversation", [row(), row(conversation_id=None), row()], [(2, "missing_conversation_id")]),
        ("unknown role", [row(), row(role="wizard")], [(2, "unknown_role")]),
        ("no text column", [{"conversation_id": "c1", "role": "client"}], [(1, "missing_text")]),
        ("text is bytes", [row(text=b"x")], [(1, "wrong_type")]),
        ("ids twice", [row(id=1), row(id=1)], [(2, "duplicate_id")]),
        ("already coded", [row(codes=["SU"])], [(1, "already_coded")]),
        ("conversation comes back", [row(), row(conversation_id="c2"), row()], [(3, "non_contiguous")]),
        ("in the second batch", [row()] * 1500 + [row(text=None)] + [row()] * 10, [(1501, "missing_text")]),
        ("null messages", [{"id": "a", "messages": [row()]}, {"id": "b", "messages": None}], [(2, "missing_messages")]),
        ("null message", [{"id": "a", "messages": [row()]}, {"id": "b", "messages": [None]}], [(2, "wrong_type")]),
        ("no rows", [], []),
    ]
] + [
    Case("parquet: cut", "in.parquet", lambda: parquet([row()] * 5)[:-30], [(1, "truncated_file")], 0),
    Case("parquet: not Parquet", "in.parquet", b"this is not a table", [(1, "corrupt_file")], 0),
    Case("parquet: empty file", "in.parquet", b"", [(1, "corrupt_file")], 0),
    Case("parquet: the magic only", "in.parquet", b"PAR1PAR1", [(1, "corrupt_file")], 0),
]

CASES: list[Case] = [*BYTES, *JSON, *FLAT, *NESTED, *CSV, *CHAT, *CONVOKIT, *COMPRESSED, *PARQUET]

REFUSED: list[Refused] = [
    Refused("csv without a header", "in.csv", CELLS * 3, "no column"),
    Refused("csv without a text column", "in.csv", b"conversation_id,role,said\nc1,client,x\n", "--text-field"),
    Refused("csv without a role column", "in.csv", b"conversation_id,who,text\nc1,client,x\n", "--role-field"),
    Refused("csv without conversations", "in.csv", b"chat,role,text\nc1,client,x\n", "--conversation-field"),
    Refused("csv with a column twice", "in.csv", b"conversation_id,role,text,text\nc1,client,x,y\n", "twice"),
    Refused(
        "csv with a broken header", "in.csv", b'conversation_id,"role"x,text\nc1,client,x\n', "header cannot be read"
    ),
    Refused(
        "csv with a header that is not UTF-8", "in.csv", b"conversation_id,role,text,caf\xe9\n", "header cannot be read"
    ),
    Refused("semicolons", "in.csv", HEAD.replace(b",", b";") + CELLS.replace(b",", b";"), "separated by ';'"),
    Refused("commas in a TSV", "in.tsv", HEAD + CELLS, "--format csv"),
    Refused("UTF-16 in a CSV", "in.csv", (HEAD + CELLS).decode().encode("utf-16"), "save the file as UTF-8"),
    Refused("UTF-16 without a suffix", "in.data", (HEAD + CELLS).decode().encode("utf-16"), "save the file as UTF-8"),
    Refused("no telling suffix", "in.data", b"what is this\n", "--format"),
    Refused("Parquet inside gz", "in.parquet.gz", gzip.compress(b"PAR1 and more"), "Parquet cannot be read"),
]
