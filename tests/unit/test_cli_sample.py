"""`mi-code sample`: from chats to samples and from codes to the stopping report."""

import csv
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks.material.tiny_model import make_tiny_model
from mi_coder.annotation.sample_file import read_ids, read_sample, unmatched
from mi_coder.cli.main import group
from mi_coder.codebook import Codebook
from mi_coder.corpora.standoff import COLUMNS, text_hash
from mi_coder.errors import UsageProblem
from tests.chats import nested_records, write_jsonl

DESIGNS = ("random", "stratified", "uncertainty", "rare-code", "diversity")


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = [record | {"counselor_id": f"k{at % 3}"} for at, record in enumerate(nested_records(40))]
    return write_jsonl(tmp_path_factory.mktemp("chats") / "chats.jsonl", records)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["sample", *map(str, arguments)])


def drawn(target: Path, *arguments: object) -> list[dict[str, str]]:
    done = run("-o", target, *arguments)
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(target.read_text().splitlines()))


def meta(target: Path) -> dict:  # type: ignore[type-arg]
    return json.loads(target.with_name(target.name + ".meta.json").read_text())


def texts(chats: Path) -> dict[str, str]:
    """Counselor messages by utterance id."""
    return {
        f"{record['conversation_id']}#{at}": message["text"]
        for record in map(json.loads, chats.read_text().splitlines())
        for at, message in enumerate(record["messages"])
        if message["role"] == "counselor"
    }


@pytest.mark.parametrize("design", DESIGNS)
def test_every_design(design: str, chats: Path, tiny: Path, tmp_path: Path) -> None:
    options = (chats, "--n", 25, "--design", design, "--model", tiny)
    rows = drawn(tmp_path / "one.csv", *options)
    assert list(rows[0]) == ["conversation_id", "index", "inclusion_probability", "design", "seed", "stratum"]
    assert len(rows) == 25
    assert {(row["design"], row["seed"]) for row in rows} == {(design, "1")}
    known = texts(chats)
    names = [f"{row['conversation_id']}#{row['index']}" for row in rows]
    assert set(names) <= set(known)
    assert len({known[name].casefold() for name in names}) == 25
    told = meta(tmp_path / "one.csv")
    assert told["units"] + told["left_out"]["duplicates"] == len(known)
    assert sum(stratum["drawn"] for stratum in told["strata"].values()) == told["drawn"] == 25
    assert told["tagger"].startswith("tiny 1 ") == (design != "random")
    drawn(tmp_path / "two.csv", *options)
    for ending in ("", ".meta.json"):
        assert (tmp_path / f"two.csv{ending}").read_bytes() == (tmp_path / f"one.csv{ending}").read_bytes()
    assert drawn(tmp_path / "three.csv", *options, "--seed", 2) != rows


def test_the_order_of_conversations_changes_nothing(chats: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.jsonl"
    turned.write_text("".join(f"{line}\n" for line in reversed(chats.read_text().splitlines())))
    assert drawn(tmp_path / "one.csv", chats, "--n", 9) == drawn(tmp_path / "two.csv", turned, "--n", 9)


def test_no_text_is_in_the_files(chats: Path, tmp_path: Path) -> None:
    drawn(tmp_path / "s.csv", chats, "--n", 100)
    written = (tmp_path / "s.csv").read_text() + (tmp_path / "s.csv.meta.json").read_text()
    assert not [text for text in texts(chats).values() if len(text) > 12 and text in written]


def test_samples_after_one_another_share_no_text(chats: Path, tmp_path: Path) -> None:
    known = texts(chats)
    first = drawn(tmp_path / "one.csv", chats, "--n", 40)
    second = drawn(tmp_path / "two.csv", chats, "--n", 40, "--exclude", tmp_path / "one.csv")
    one, two = ({known[f"{row['conversation_id']}#{row['index']}"] for row in rows} for rows in (first, second))
    assert not one & two
    assert meta(tmp_path / "two.csv")["left_out"]["coded"] == 40
    assert meta(tmp_path / "one.csv")["population"] != meta(tmp_path / "two.csv")["population"]


def test_whole_conversations(chats: Path, tmp_path: Path) -> None:
    rows = drawn(tmp_path / "s.csv", chats, "--n", 5, "--unit", "conversation")
    names = {row["conversation_id"] for row in rows}
    assert len(names) == 5
    expected = {name for name in texts(chats) if name.partition("#")[0] in names}
    assert read_ids(tmp_path / "s.csv") == expected
    assert {row["inclusion_probability"] for row in rows} == {repr(5 / 40)}


def test_strata_by_a_field(chats: Path, tmp_path: Path) -> None:
    rows = drawn(tmp_path / "s.csv", chats, "--n", 30, "--design", "stratified", "--by", "counselor_id")
    assert {row["stratum"] for row in rows} == {"k0", "k1", "k2"}
    assert meta(tmp_path / "s.csv")["options"] == {"n": 30, "by": "counselor_id", "minimum": 1}
    for name, stratum in meta(tmp_path / "s.csv")["strata"].items():
        chances = {float(row["inclusion_probability"]) for row in rows if row["stratum"] == name}
        assert chances == {stratum["drawn"] / stratum["units"]}


def test_a_tagged_file_in_place_of_tagging(chats: Path, tiny: Path, tmp_path: Path) -> None:
    tagged = tmp_path / "tagged.jsonl"
    for scores, name in (("all", "tagged.jsonl"), ("chosen", "chosen.jsonl")):
        done = CliRunner().invoke(
            group, ["tag", str(chats), "--model", str(tiny), "--scores", scores, "-o", str(tmp_path / name)]
        )
        assert done.exit_code == 0, done.output
    options = (chats, "--n", 20, "--design", "rare-code", "--codes", "REF,cq")
    by_file = drawn(tmp_path / "one.csv", *options, "--tagged", tagged)
    by_model = drawn(tmp_path / "two.csv", *options, "--model", tiny)
    assert [row["index"] for row in by_file] == [row["index"] for row in by_model]
    assert meta(tmp_path / "one.csv")["codes"] == ["REF", "CQ"]
    refused = run("-o", tmp_path / "three.csv", *options, "--tagged", tmp_path / "chosen.jsonl")
    assert refused.exit_code
    assert "--scores all" in str(refused.exception)
    other = write_jsonl(tmp_path / "other.jsonl", nested_records(40, seed=5))
    refused = run("-o", tmp_path / "three.csv", other, *options[1:], "--tagged", tagged)
    assert "another text" in str(refused.exception)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--n", 100_000], "100000 are to be drawn, but"),
        (["--n", 2, "--design", "stratified", "--by", "counselor_id"], "3 strata with at least 1 from each need 3"),
        (["--n", 5, "--design", "stratified", "--by", "nothing"], "the field 'nothing'"),
        (["--n", 5, "--design", "rare-code", "--codes", "XX"], "no code 'XX'"),
        (["--n", 5, "--codes", "OQ"], "--design rare-code"),
    ],
)
def test_what_cannot_be_drawn(arguments: list[object], says: str, chats: Path, tiny: Path, tmp_path: Path) -> None:
    model = ["--model", tiny] if "XX" in arguments else []
    done = run("-o", tmp_path / "s.csv", chats, *arguments, *model)
    assert done.exit_code
    assert says in str(done.exception)
    assert not (tmp_path / "s.csv").exists()


def test_a_code_that_the_tagger_does_not_give(chats: Path, tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "model", untrained=("WA",))
    done = run("-o", tmp_path / "s.csv", chats, "--n", 5, "--design", "rare-code", "--codes", "WA", "--model", model)
    assert "does not give the code 'WA'" in str(done.exception)


def test_ids_of_samples_and_of_lists(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("conversation_id,index\na b,3\n")
    (tmp_path / "s.txt").write_text("a b#3\n\n")
    assert read_ids(tmp_path / "s.csv") == read_ids(tmp_path / "s.txt") == {"a b#3"}


def test_a_list_and_a_sample_are_told_apart_by_the_header(tmp_path: Path) -> None:
    listed, sample = tmp_path / "open.csv", tmp_path / "sample.txt"
    listed.write_text("a b#3\nc#0\n", encoding="utf-8-sig")
    sample.write_text('"conversation_id","index"\na b,3\nc,0\n', encoding="utf-8-sig")
    assert read_ids(listed) == read_ids(sample) == {"a b#3", "c#0"}


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_list_in_another_encoding(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "only.txt"
    path.write_bytes("zoë#3\n".encode(encoding))
    with pytest.raises(UsageProblem, match=r"only\.txt is not UTF-8\. Save it as UTF-8"):
        read_ids(path)


def test_ids_that_are_of_no_message(tmp_path: Path) -> None:
    path = tmp_path / "only.txt"
    assert unmatched(path, {"a#1", "b#1", "07#1"}, {"a#1", "7#1"}) == ["07#1", "b#1"]
    with pytest.raises(UsageProblem, match=r"none of its 1 ids \(the first is 07#1\)"):
        unmatched(path, {"07#1"}, {"7#1"})
    assert unmatched(path, frozenset(), {"7#1"}) == []


def test_chances_without_a_chat_are_named(chats: Path, tmp_path: Path) -> None:
    known = sorted({name.partition("#")[0] for name in texts(chats)})
    path = tmp_path / "chances.csv"
    rows = ("conversation_id,probability", *(f"{name},0.5" for name in (*known[:3], "nowhere")))
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8-sig")
    options = ("--n", 1, "--unit", "conversation", "--design", "given", "--chances", path)
    done = run("-o", tmp_path / "s.csv", chats, *options)
    assert done.exit_code == 0, done.exception
    assert f"{path}: 1 of 4 probabilities are of conversations that are not in the chats: nowhere" in done.output


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["a,0,1.5"], "above 0"),
        (["a,0,"], r"s\.csv:2: inclusion_probability: must be a number above 0 and at most 1"),
        (['a,0,"0,33"'], r"s\.csv:2: inclusion_probability: must be a number above 0 and at most 1"),
        (["a,0,0.5", "a,0,0.5"], "comes twice"),
    ],
)
def test_malformed_samples(rows: list[str], says: str, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    header = "conversation_id,index,inclusion_probability,design,seed,stratum"
    path.write_text("\n".join([header, *(f"{row},random,1," for row in rows)]) + "\n")
    with pytest.raises(UsageProblem, match=says):
        read_sample(path)


def coded(path: Path, chats: Path, names: list[str], coder: str) -> Path:
    """Codes for messages: OQ with a question mark, else SU; coder b takes SU for AF now and then."""
    known = texts(chats)
    lines = [",".join(COLUMNS)]
    for at, name in enumerate(names):
        code = "OQ" if "?" in known[name] else "AF" if coder == "b" and at % 10 == 0 else "SU"
        conversation, _, index = name.partition("#")
        lines.append(f"{conversation},{index},{text_hash(known[name])},{code},,,,3,{coder},1")
    path.write_text("\n".join(lines) + "\n")
    told = {"codebook": Codebook.load().hash, "coder": "somebody", "unit": "message"}
    path.with_name(path.name + ".meta.json").write_text(json.dumps(told))
    return path


def test_the_stopping_report(chats: Path, tmp_path: Path) -> None:
    names = list(texts(chats))
    files = [coded(tmp_path / "a.csv", chats, names, "a"), coded(tmp_path / "b.csv", chats, names[:80], "b")]
    drawn(tmp_path / "s.csv", chats, "--n", 60)
    done = run("report", *files, "--sample", tmp_path / "s.csv", "--chats", chats, "--as", "json", "--repeats", 2)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["codings"], told["messages"]) == (240, 160)
    assert [point["messages"] for point in told["alpha"]] == [20, 40, 60, 80]
    assert told["curve"]["points"][-1]["messages"] == 112
    assert told["curve"]["points"][-1]["macro_f1"] > 0.8
    assert (told["rates"]["coded"], told["rates"]["drawn"]) == (60, 60)
    sample = read_sample(tmp_path / "s.csv")
    known = texts(chats)
    share = sum("?" in known[f"{row.conversation_id}#{row.index}"] for row in sample) / 60
    assert told["rates"]["by_code"]["OQ"]["value"] == pytest.approx(share)
    assert told["rates"]["by_code"]["WA"]["low"] == 0
    assert "WA" in told["few"] and "SU" not in told["few"]
    begins = ("Continue:", "Stop coding randomly drawn messages:")
    assert any(sentence.startswith(begins) for sentence in told["advice"])
    table = run("report", *files, "--sample", tmp_path / "s.csv", "--chats", chats, "--repeats", 2).stdout
    assert "Gained per 100 codings" in table
    assert (
        "Reliable to few: how many codes have this reading, as in mi-code agreement. Brackets: 95% intervals over "
        "conversations (500 bootstrap samples; mi-code agreement takes 2000 unless told otherwise)." in table
    )
    assert not [text for text in known.values() if len(text) > 12 and text in table]


def test_a_report_without_chats_and_with_an_unfinished_sample(chats: Path, tmp_path: Path) -> None:
    drawn(tmp_path / "s.csv", chats, "--n", 10)
    names = sorted(read_ids(tmp_path / "s.csv"))[:4]
    codes = coded(tmp_path / "a.csv", chats, names, "a")
    report = run("report", codes, "--sample", tmp_path / "s.csv", "-o", tmp_path / "report.md", "--as", "markdown")
    assert report.exit_code == 0, report.output
    written = (tmp_path / "report.md").read_text()
    assert "No learning curve: name the chats with --chats." in written
    assert "No message is coded twice" in written
    assert "6 of 10 drawn messages are not coded" in written
    little = run("report", codes, "--chats", chats)
    assert "it needs 100 coded messages of 10 conversations or more, and there are 4 of" in little.stdout


def test_the_learning_curve_names_its_extra(chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = coded(tmp_path / "a.csv", chats, list(texts(chats)), "a")
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    done = run("report", codes, "--chats", chats)
    assert 'pip install "mi-coder[train]"' in str(done.exception)
    refused = run("-o", tmp_path / "s.csv", chats, "--n", 9, "--design", "diversity", "--vectors", "text")
    assert 'pip install "mi-coder[train]"' in str(refused.exception)


def test_help_of_the_verb_is_that_of_drawing() -> None:
    done = run("--help")
    assert "mi-code sample report" in done.stdout
    assert "--design" in done.stdout
