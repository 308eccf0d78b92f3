"""Plain JSON Lines go a quick way, and come to the same as the same bytes compressed, which do not."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mi_coder.cli.profile import command
from mi_coder.errors import MiCoderError
from mi_coder.formats.rejects import Reject
from mi_coder.measures.quick import quick_chats
from mi_coder.measures.reading import Chat, read_chats

_SAID = {"id": "m1", "role": "counselor", "text": "so it goes, ’ber", "codes": ["OQ"], "scores": {"OQ": 0.9}}


def _chat(name: str, **said: Any) -> dict[str, Any]:
    return {
        "conversation_id": name,
        "site": f"s{name}",
        "messages": [{"id": 0, "role": "client", "text": "so so"}, {**_SAID, **said}],
    }


def _line(name: str, **said: Any) -> bytes:
    return json.dumps(_chat(name, **said), ensure_ascii=False).encode() + b"\n"


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def _both(folder: Path, content: bytes, name: str) -> tuple[list[Chat], list[str]]:
    path, found = folder / name, list[Reject]()
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    chats = list(read_chats(path, ["site"], on_reject=found.append))
    return chats, [str(reject).removeprefix(str(path)) for reject in found]


_LONG = {"text": "x", "role": "client"}
_ODD = {
    "an unknown code": _line("c2", codes=["oq"]),
    "a code twice": _line("c2", codes=["OQ", "OQ"]),
    "a possible code twice": _line("c2", possible=["OQ", "OQ"]),
    "an unknown possible code": _line("c2", possible=["XX"]),
    "codes as a text": _line("c2", codes="OQ;SU"),
    "no depth": _line("c2", depth="client"),
    "an empty depth": _line("c2", depth=""),
    "no permission": _line("c2", permission=" "),
    "a score as a text": _line("c2", scores={"OQ": "x"}),
    "a score of no code": _line("c2", scores={"XX": 0.5}),
    "scores as a number": _line("c2", scores=1704103200),
    "a score over 1": _line("c2", scores={"OQ": 1.5}),
    "no score": _line("c2", scores={"OQ": None}),
    "no text": _line("c2", text=None),
    "another name of the text": _line("c2").replace(b'"text"', b'"content"'),
    "an id as a list": _line("c2", id=["m1"]),
    "an id as a fraction": _line("c2", id=1.0),
    "ids that are the same": _line("c2", id=0),
    "ids that are the same as texts": _line("c2", id="0"),
    "no conversation id": _line(""),
    "a conversation again": _line("c1"),
    "review as a text": _line("c2", review="true"),
    "review without codes": _line("c2", review=True, codes=None),
    "uncoded": _line("c2", codes=[], uncoded="empty"),
    "uncoded as a number": _line("c2", uncoded=7),
    "gold as a text": _line("c2", gold="x"),
    "gold of an unknown code": _line("c2", gold={"codes": ["XX"]}),
    "sentences without a start": _line("c2", sentences=[{"end": 1, "codes": []}]),
    "a code twice in a sentence": _line("c2", sentences=[{"start": 0, "end": 1, "codes": ["OQ", "OQ"]}]),
    "codes of a client": _line("c2", role="client", depth="simple", review=True),
    "another spelling of the role": _line("c2", role="Counselor"),
    "an unknown role": _line("c2", role="bot"),
    "Latin-1 in the text": _line("c2", text="é").replace("é".encode(), b"\xe9"),
    "Latin-1 elsewhere": _line("c2", further="é").replace("é".encode(), b"\xe9"),
    "Latin-1 in a name": _line("c2", é=1).replace("é".encode(), b"\xe9"),
    "half a pair": _line("c2", further="@").replace(b"@", b"\\ud800"),
    "NUL": _line("c2", further="@").replace(b"@", b"\0"),
    "NaN": _line("c2", further=float("nan")),
    "too large a number": _line("c2", further="@").replace(b'"@"', b"1E+400"),
    "too large a number in a list": _line("c2", further="@").replace(b'"@"', b"[1e308,2,-1e0400]"),
    "too long a number": _line("c2", further="@").replace(b'"@"', b"7" * 310 + b".5"),
    "a long number": _line("c2", further=7**40),
    "a number with an exponent": _line("c2", further="@").replace(b'"@"', b"1e-400"),
    "nested at the limit": _line("c2", further=_nested(97)),
    "nested too deeply": _line("c2", further=_nested(98)),
    "nested very deeply": _line("c2", further="@").replace(b'"@"', b"[" * 50_000 + b"]" * 50_000),
    "nested too deeply in a long chat": json.dumps(
        {**_chat("c2"), "messages": [_LONG] * 200, "further": _nested(100)}
    ).encode()
    + b"\n",
    "names with marks": _line("c2", **{'a"b': 1, "c\\d": 2, "": 3, "e\n": 4, "field0": 5}),
    "further fields of another kind": _line("c2", at={"x": [1]}, sent=None, n=1.5, ok=True, conversation_id="x"),
    "a long line": b'{"further": "' + b"x" * (16 << 20) + b'", ' + _line("c2")[1:],
    "one message a line": b'{"conversation_id": "c2", "role": "client", "text": "so"}\n',
    "no object": b"[]\n",
    "no JSON": b"{\n",
    "a blank line": b" \r\n",
}


@pytest.mark.parametrize("odd", _ODD.values(), ids=_ODD.keys())
@pytest.mark.parametrize(("place", "first"), [(0, {}), (2, {}), (2, {"further": "x"})])
def test_the_quick_way_finds_the_same_chats_and_the_same_bad_records(
    tmp_path: Path, odd: bytes, place: int, first: dict[str, str]
) -> None:
    lines = [
        _line("c0", **first),
        _line("c1", gold={"codes": ["SU"]}),
        _line("c3"),
        _line("c4", uncoded=3),
        _line("c5"),
    ]
    content = b"\xef\xbb\xbf" + b"".join([*lines[:place], odd, *lines[place:]])
    quick, other = _both(tmp_path, content, "a.jsonl"), _both(tmp_path, content, "a.jsonl.gz")
    assert quick == other
    assert place == 0 or {"c0", "c3", "c5"} <= {chat.id for chat in quick[0]}


def test_long_coded_chats_stay_on_the_quick_way(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    messages = [{**_SAID, "id": str(i), "possible": ["OQ", "SU"], "text": "in 2024, 1e3"} for i in range(300)]
    path.write_text(json.dumps({**_chat("c0"), "messages": messages}) + "\n")
    (found,) = quick_chats(path, ["site"], set())
    assert found is not None and len(found[1]) == 300 and found[2] == {"site": "sc0"}


@pytest.mark.parametrize("names", [["site", "site"], ['si"te'], [""], ["si\\te", "site"]])
def test_fields_of_any_name_may_be_asked_for(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "a.jsonl").write_bytes(_line("c0") + _line("c1"))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(_line("c0") + _line("c1")))
    quick, other = (list(read_chats(tmp_path / name, names)) for name in ("a.jsonl", "a.jsonl.gz"))
    assert quick == other and set(quick[0].fields) == set(names)


def test_no_good_chat_is_lost_after_a_bad_one(tmp_path: Path) -> None:
    path, counts = tmp_path / "a.jsonl", tmp_path / "c.csv"
    lines = [
        _line(f"c{i}", **({"permission": "yes"} if i == 1 else {"role": "Counselor"} if i == 5 else {}))
        for i in range(8)
    ]
    path.write_bytes(b"".join(lines))
    result = CliRunner().invoke(command, [str(path), "--counts", str(counts)])
    assert result.exit_code == 0, result.output
    assert [row.split(",")[0] for row in counts.read_text().splitlines()[1:]] == ["c0", *(f"c{i}" for i in range(2, 8))]
    assert f"1 bad record was left out: {path}:2: message 2: the field 'permission'" in result.output


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_code_twice_in_one_message_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MiCoderError, match=r":1: message 2: the field 'codes' must be a list of different code ids"):
        (tmp_path / name).write_bytes(gzip.compress(_ODD["a code twice"]) if "gz" in name else _ODD["a code twice"])
        list(read_chats(tmp_path / name))


@pytest.mark.parametrize(
    ("good", "options", "said"),
    [
        (0, (), "There are no chats to profile. 2 bad records were left out, the first: "),
        (
            1,
            ("--by", "sit"),
            "No conversation has the field 'sit'. Did you mean 'site'? Fields that there are: site. 2 bad ",
        ),
        (1, ("--min-chats", "2"), "with --by. 2 bad records were left out, the first: "),
        (1, ("--min-chats", "1", "--draws", "50"), ""),
    ],
)
def test_a_problem_names_the_records_that_were_left_out(
    tmp_path: Path, good: int, options: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(_ODD["an unknown code"] + _ODD["no permission"] + _line("c1") * good)
    result = CliRunner().invoke(command, [str(path), *options])
    if said:
        assert isinstance(result.exception, MiCoderError)
        assert said in str(result.exception) and f"{path}:1: message 2: " in str(result.exception)
    else:
        assert result.exit_code == 0 and "2 bad records were left out" in result.output
