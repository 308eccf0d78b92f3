"""Stand-off codes: joining them with their texts, and refusing what does not belong together."""

import csv
import json
from hashlib import sha256
from pathlib import Path

import pytest

from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Gold, Message
from mi_coder.corpora.standoff import (
    COLUMNS,
    BadStandoff,
    differing,
    hashed,
    own_unused,
    read_standoff,
    text_hash,
    texts_unchecked,
    with_standoff,
)
from mi_coder.errors import UsageProblem

TEXTS = ("i lost my job", "You lost your job. What happened?", "they closed the shop")


def conversation(id: str = "c1") -> Conversation:
    roles = ("client", "counselor", "client")
    return Conversation(id, [Message(role, text) for role, text in zip(roles, TEXTS, strict=True)])


def row(**changes: str) -> dict[str, str]:
    return {
        "conversation_id": "c1",
        "index": "1",
        "text_hash": text_hash(TEXTS[1]),
        "codes": "REF+OQ",
        "depth": "simple",
        "permission": "",
        "reason": "",
        "confidence": "3",
        "coder": "k1",
        "round": "1",
    } | changes


META = {"codebook": Codebook.load().hash, "coder": "people who read every message", "unit": "message"}


def write_meta(path: Path, **changes: str) -> Path:
    """Write the sidecar of a file of codes; return its path."""
    sidecar = path.with_name(path.name + ".meta.json")
    sidecar.write_text(json.dumps(META | changes))
    return sidecar


def write(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "codes.csv"
    write_meta(path)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return path


def test_codes_become_complete_gold_of_their_message(tmp_path: Path) -> None:
    [coded] = with_standoff([conversation()], read_standoff(write(tmp_path, row())))
    gold = coded.messages[1].gold
    assert gold is not None
    assert (gold.positive, gold.depth) == ({"REF", "OQ"}, "simple")
    assert gold.positive | gold.negative == set(Codebook.load().ids)
    assert coded.extra["gold_from"] == "people who read every message"
    assert [message.gold for message in (coded.messages[0], coded.messages[2])] == [None, None]


def test_later_rows_win(tmp_path: Path) -> None:
    rows = (row(), row(codes="OQ", depth="", coder="k2"))
    [coded] = with_standoff([conversation()], read_standoff(write(tmp_path, *rows)))
    assert coded.messages[1].gold.positive == {"OQ"}


def test_gold_of_uncoded_conversations_stays(tmp_path: Path) -> None:
    other = conversation("c2")
    other.messages[1].gold = Gold(frozenset({"CQ"}))
    codes = list(read_standoff(write(tmp_path, row())))
    kept = list(with_standoff([conversation(), other], codes))
    assert kept[1].messages[1].gold == Gold(frozenset({"CQ"}))
    assert [one.id for one in with_standoff([conversation(), other], codes, only_coded=True)] == ["c1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text_hash": "0" * 16}, "the text here is not the one that was coded.*first 16 hex digits of the SHA-256"),
        ({"index": "0"}, "counselor says nothing here"),
        ({"index": "9"}, "counts all messages"),
        ({"conversation_id": "c9"}, "not in the corpus"),
    ],
)
def test_codes_of_another_text_are_refused(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    path = write(tmp_path, row(), row(**changes))
    with pytest.raises(BadStandoff, match=message) as error:
        list(with_standoff([conversation()], read_standoff(path)))
    name, place = changes.get("conversation_id", "c1"), changes.get("index", "1")
    assert str(error.value).startswith(f"{path}:3: conversation '{name}', message {place}: ")


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([row(), row(coder="k2")], []),
        ([row(), row(codes="OQ", depth="")], ["c1#1"]),
        ([row(), row(depth="complex", round="2")], ["c1#1"]),
        ([row(), row(codes="OQ", depth="", round="adjudicated")], []),
        ([row(round="adjudicated"), row(codes="OQ", depth="")], ["c1#1"]),
        ([row(), row(codes="OQ", depth="", index="3"), row(index="3")], ["c1#3"]),
    ],
)
def test_codings_that_differ_are_settled_by_a_later_one(
    tmp_path: Path, rows: list[dict[str, str]], left: list[str]
) -> None:
    assert differing(read_standoff(write(tmp_path, *rows)), "adjudicated") == left


def test_own_codes_that_gold_has_no_place_for_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("conversation_id,index,codes,own\nc1,1,OQ,HUMOR\nc1,3,OQ,\n")
    assert own_unused([path, write(tmp_path, row())]).startswith("1 codings have codes of your own")
    assert own_unused([write(tmp_path, row())]) == ""


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"codes": "REF+OT"}, "codes"),
        ({"codes": "REF+OQ+AF+SU"}, "codes"),
        ({"codes": "REF+REF"}, "codes"),
        ({"codes": "RFE"}, "RFE"),
        ({"codes": "REF, OQ"}, r'Join several by "\+"'),
        ({"text_hash": sha256(TEXTS[1].encode()).hexdigest()}, "text_hash: must be the first 16 hex digits"),
        ({"depth": "deep"}, "depth"),
        ({"permission": "with"}, "permission"),
        ({"reason": "abuse"}, "reason"),
        ({"index": "one"}, "index: must be a whole number of at least 0"),
        ({"index": "-1"}, "index: must be a whole number of at least 0"),
        ({"index": ""}, "index: must be a whole number of at least 0"),
        ({"confidence": "4"}, "confidence: must be one of 1, 2, 3"),
        ({"codes": ""}, "codes"),
        ({"round": "1\0"}, "NUL"),
    ],
)
def test_rows_that_break_the_codebook_name_file_line_and_field(
    tmp_path: Path, changes: dict[str, str], field: str
) -> None:
    path = write(tmp_path, row(), row(**changes))
    with pytest.raises(UsageProblem, match=field) as error:
        list(read_standoff(path))
    assert f"{path}:3" in str(error.value)


def test_a_text_in_the_place_of_the_codes_is_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"codes\.csv:2: codes: There is no such code\.") as error:
        list(read_standoff(write(tmp_path, row(codes="my secret text"))))
    assert "secret" not in str(error.value)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("conversation_id,codes\nc1,OQ\n")
    with pytest.raises(UsageProblem, match=r"no column index\. Expected columns: conversation_id, index, codes"):
        list(read_standoff(path))


def test_a_table_with_semicolons_is_told_what_separates(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("conversation_id;index;codes\nc1;1;OQ\n")
    with pytest.raises(UsageProblem, match="They are separated by commas"):
        list(read_standoff(path))


def test_a_table_of_ones_own_needs_three_columns(tmp_path: Path) -> None:
    path = tmp_path / "ann.csv"
    path.write_bytes("\ufeffcodes,conversation_id,index\r\nREF+OQ,c1,1\r\n".encode())
    [code] = read_standoff(path)
    assert (code.coder, code.round, code.gold_from) == ("ann", "1", "ann")
    assert (code.text_hash, code.confidence, code.gold.depth) == ("", None, None)
    [coded] = with_standoff([conversation()], [code])
    assert coded.messages[1].gold is not None and coded.messages[1].gold.positive == {"REF", "OQ"}
    assert texts_unchecked([path, write(tmp_path, row())]) == (
        "Without text_hash it is not checked whether codes and texts belong together, nor without .meta.json whether "
        f"the codes are of this codebook: {path}"
    )


@pytest.mark.parametrize("column", ["text_hash", "depth", "confidence", "coder", "round"])
def test_an_empty_cell_is_as_no_column(tmp_path: Path, column: str) -> None:
    emptied = row(**{column: ""})
    without = {name: cell for name, cell in emptied.items() if name != column}
    path = tmp_path / "less" / "codes.csv"
    path.parent.mkdir()
    path.write_text(f"{','.join(without)}\n{','.join(without.values())}\n")
    write_meta(path)
    assert list(read_standoff(path)) == list(read_standoff(write(tmp_path, emptied)))


def test_where_a_text_has_to_be_told_it_is_said_how(tmp_path: Path) -> None:
    told, untold = [*read_standoff(write(tmp_path, row()))], [*read_standoff(write(tmp_path, row(text_hash="")))]
    assert list(hashed(told)) == told
    with pytest.raises(
        BadStandoff, match=r"codes\.csv:2: .*first 16 hex digits of the SHA-256 of the text as UTF-8.*mi-code studio"
    ):
        list(hashed(untold))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"c1,1\n", "2 cells where the header has 10"),
        (b"c1,1" + b",x" * 9 + b"\n", "11 cells where the header has 10"),
        (b'c1,"1\n', "does not close"),
        (b"c1,\xff\n", "not UTF-8"),
        (b"c1," + b"x" * 2_000_000 + b"\n", "longer than a mebibyte"),
    ],
)
def test_malformed_rows_name_file_and_line(tmp_path: Path, line: bytes, complaint: str) -> None:
    path = write(tmp_path, row())
    with path.open("ab") as file:
        file.write(line)
    with pytest.raises(UsageProblem, match=complaint) as error:
        list(read_standoff(path))
    assert f"{path}:3: " in str(error.value)


def test_codes_of_another_codebook_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, row())
    write_meta(path, codebook="sha256:0123456789abcdef")
    with pytest.raises(BadStandoff, match="sha256:0123456789abcdef") as error:
        next(read_standoff(path))
    assert Codebook.load().hash in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"codebook": "x", "coder": "y", "unit": "sentence"}'])
def test_a_damaged_sidecar_is_named(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, row())
    sidecar = write_meta(path)
    sidecar.write_bytes(content)
    with pytest.raises(BadStandoff, match=r"codes\.csv\.meta\.json is not the \.meta\.json of a file of codes: "):
        next(read_standoff(path))


def test_all_sources_of_codes_are_named(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    first, second = write(tmp_path, row()), write(tmp_path / "more", row(index="3"))
    write_meta(second, coder="a model")
    chat = conversation()
    chat.messages.append(Message("counselor", TEXTS[1]))
    [coded] = with_standoff([chat], [*read_standoff(first), *read_standoff(second)])
    assert coded.extra["gold_from"] == "a model; people who read every message"


@pytest.mark.parametrize("corpus", ["esconv", "annomi"])
def test_the_projects_codes_fit_the_shared_corpora(shared: Path, corpus: str) -> None:
    from mi_coder import corpora

    root = Path(__file__).parents[2] / "annotations" / corpus
    codes = [code for path in sorted(root.glob("*.csv")) for code in read_standoff(path)]
    coded = sum(1 for _ in with_standoff(corpora.load(corpus, shared), codes, only_coded=True))
    assert coded == len({code.conversation_id for code in codes}) > 40


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "annotations").glob("*/*.csv")), ids=str)
def test_the_projects_codes_tell_everything(path: Path) -> None:
    assert not texts_unchecked([path])
    book = Codebook.load()
    for code in read_standoff(path):
        due = {name for one in code.gold.positive for name in book[one].attributes}
        assert due == {name for name in book.attributes if getattr(code.gold, name)}, (code.conversation_id, code.index)
        assert code.confidence
