"""The suite on small made data: its table, what it says of missing or partial data, and what it refuses."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks.material.tiny_model import make_tiny_model
from mi_coder.cli.evaluate import command
from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding, Conversation, Gold, Message
from mi_coder.corpora.esconv import CHATS, FAILED_CHATS
from mi_coder.corpora.standoff import text_hash
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.compare import compare
from mi_coder.evaluation.evaluate import evaluate
from mi_coder.evaluation.folds import Judged, write_judged
from mi_coder.evaluation.report import EvaluationReport, Options, Source
from mi_coder.evaluation.suite import FOLDS, OPENED, Suite
from mi_coder.evaluation.suite_page import TITLE, count, table
from mi_coder.evaluation.targets import LEVELS, Measured, Target, targets
from mi_coder.tagger.config import BadModel
from mi_coder.tagger.record import TrainingRecord

ROWS = (
    Target("macro-F1", "0.80", "0.812 [0.790, 0.830]", "0.674 [0.643, 0.697]", True),
    Target("each code", "0.65", "below target: CC 0.531 [0.367, 0.667]", "CC 0.413", False),
    Target("folds", "0.55", "not run: python benchmarks/annomi_folds.py"),
)
TEXT = """\
measure    target  result                                      for comparison (TF-IDF unless named)  met
---------  ------  ------------------------------------------  ------------------------------------  ---
macro-F1   0.80    0.812 [0.790, 0.830]                        0.674 [0.643, 0.697]                  yes
each code  0.65    below target: CC 0.531 [0.367, 0.667]       CC 0.413                              no
folds      0.55    not run: python benchmarks/annomi_folds.py  –                                     –"""
MARKDOWN = """\
| measure   | target | result                                     | for comparison (TF-IDF unless named) | met |
| --------- | ------ | ------------------------------------------ | ------------------------------------ | --- |
| macro-F1  | 0.80   | 0.812 [0.790, 0.830]                       | 0.674 [0.643, 0.697]                 | yes |
| each code | 0.65   | below target: CC 0.531 [0.367, 0.667]      | CC 0.413                             | no  |
| folds     | 0.55   | not run: python benchmarks/annomi_folds.py | –                                    | –   |"""
SAID = "how was it for you?"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with practice chats, a folder docs and a model, and without corpora; the working directory."""
    practice = tmp_path / "annotations" / "practice"
    practice.mkdir(parents=True)
    lines = [
        {"conversation_id": f"p{number}", "messages": [{"role": "counselor", "text": SAID, "gold": {"codes": ["OQ"]}}]}
        for number in range(3)
    ]
    (practice / "test_c.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (tmp_path / "docs").mkdir()
    make_tiny_model(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def suite(*arguments: str) -> Result:
    options = ["--suite", "--model", "model", "--data", "data", "--bootstrap", "20", "--threads", "1", *arguments]
    return CliRunner().invoke(command, options)


def lines_of(result: Result, start: str) -> list[str]:
    assert result.exit_code == 0, result.output
    found = [line for line in result.stdout.splitlines() if line.startswith(start)]
    assert found
    return found


def write_folds(count: int) -> None:
    FOLDS.parent.mkdir(parents=True)
    keys = [(level, kind) for level in LEVELS for kind in ("truth", "given", "baseline")]
    write_judged(FOLDS, [Judged(fold, f"c{fold}", 0, dict.fromkeys(keys, "other")) for fold in range(count)], LEVELS)


def judged(codings: Sequence[Coding], truth: Sequence[str], codes: Sequence[str], options: Options) -> EvaluationReport:
    """One message a conversation."""
    chats = [
        Conversation(
            f"c{number:03}",
            [Message("counselor", "-", gold=Gold(frozenset({code}), frozenset(codes) - {code}), coding=coding)],
        )
        for number, (coding, code) in enumerate(zip(codings, truth, strict=True))
    ]
    return evaluate(compare(chats, chats, codes), Source("g", "a" * 64, "toy 1", "b" * 64, "sha256:00"), options)


def found(report: EvaluationReport, corpus: str, start: str) -> Target:
    [row] = [one for one in targets(Measured({corpus: report}, {}, None, {})) if one.what.startswith(start)]
    return row


def test_the_table_as_text_and_as_markdown() -> None:
    assert table(ROWS, markdown=False) == TEXT
    assert table(ROWS, markdown=True) == MARKDOWN


def test_what_was_not_measured_is_counted_apart() -> None:
    few = Suite(ROWS, {})
    assert count(few.met, few.judged, len(few.rows)) == ("1 of 2 measured targets are met; 1 could not be measured.")
    assert count(1, 2, 2) == "1 of 2 measured targets are met."


def test_the_title_says_whether_the_model_is_the_bundled_one() -> None:
    assert Suite(ROWS, {}, bundled=True).to_markdown().startswith(f"{TITLE}the bundled model\n")
    report = judged([Coding(("OQ",), {})], ["OQ"], ("OQ", "SU"), Options(1, 20))
    assert Suite(ROWS, {"esconv": report}).to_markdown().startswith(f"{TITLE}toy 1\n")
    both = Suite(ROWS, {"esconv": report}, bundled=True).to_markdown()
    assert both.startswith(f"{TITLE}the bundled model, toy 1\n")


def test_a_figure_is_not_rounded_up_to_its_target() -> None:
    right = [Coding(("OQ",), {})] * 7997 + [Coding(("SU",), {})] * 7997
    truth = ["OQ"] * 7997 + ["SU"] * 7997
    wrong = [Coding(("SU",), {})] * 2003 + [Coding(("OQ",), {})] * 2003
    missed = ["OQ"] * 2003 + ["SU"] * 2003
    row = found(judged(right + wrong, truth + missed, ("OQ", "SU"), Options(20, 2)), "esconv", "ESConv, macro")
    assert row.reached.startswith("0.800 ")
    assert row.met is False


def test_a_figure_on_its_target_meets_it() -> None:
    codings = (
        [Coding(("OQ",), {})] * 8 + [Coding(("SU",), {})] * 2 + [Coding(("SU",), {})] * 8 + [Coding(("OQ",), {})] * 2
    )
    report = judged(codings, ["OQ"] * 10 + ["SU"] * 10, ("OQ", "SU"), Options(10, 20))
    assert found(report, "esconv", "ESConv, macro").met is True


def test_no_code_with_enough_gold_meets_nothing() -> None:
    report = judged([Coding(("OQ",), {}), Coding(("SU",), {})], ["OQ", "SU"], ("OQ", "SU"), Options(20, 20))
    row = found(report, "esconv", "ESConv, F1 of each")
    assert (row.reached, row.met) == ("no code with enough gold", None)


def test_a_rare_code_without_gold_keeps_the_target_open() -> None:
    codings = [Coding(("IP",), {}), Coding(("SC",), {})] * 5
    row = found(
        judged(codings, ["IP", "SC"] * 5, ("IP", "SC", "WA"), Options(1, 20)), "practice", "Practice chats, F1 of each"
    )
    assert row.met is None
    assert row.reached.endswith("; without gold to judge by: WA")


def test_a_code_under_its_target_is_named_with_its_interval() -> None:
    codings = [Coding(("IP",), {})] * 15 + [Coding(("SC",), {})] * 5
    report = judged(codings, ["IP"] * 10 + ["SC"] * 10, ("IP", "SC"), Options(1, 200))
    row = found(report, "practice", "Practice chats, F1 of each")
    low, high = report.rows[1].score.f1_low, report.rows[1].score.f1_high
    assert row.met is False
    assert row.reached == f"below target: SC 0.667 [{low:.3f}, {high:.3f}]"


@pytest.mark.parametrize(("sent_wrong", "met"), [(4, True), (1, False)])
def test_review_has_a_row_of_its_own(sent_wrong: int, met: bool) -> None:
    wrong = [Coding(("SU",), {}, review=number < sent_wrong) for number in range(8)]
    codings = [*wrong, *[Coding(("OQ",), {})] * 42, *[Coding(("SU",), {})] * 50]
    row = found(
        judged(codings, ["OQ"] * 50 + ["SU"] * 50, ("OQ", "SU"), Options(20, 50)),
        "esconv",
        "share of the exact-match error removed by sending messages to review, ESConv",
    )
    assert row.met is met
    assert row.reached.endswith(f", {sent_wrong / 100:.1%} of messages sent")


@pytest.mark.parametrize(
    "start",
    [
        "expected calibration error (ECE), mean",
        "accuracy of depth where the code is right",
        "accuracy of permission where",
    ],
)
def test_every_corpus_has_a_row_of_calibration_depth_and_permission(start: str) -> None:
    rows = [one.what for one in targets(Measured({}, {}, None, {})) if one.what.startswith(start)]
    corpora = ["ESConv", "Practice chats", "Fresh practice chats", "AnnoMI", "Welivita"]
    assert [what.rpartition(", ")[2] for what in rows] == corpora


def test_calibration_has_its_interval() -> None:
    right = [Coding((code,), {"OQ": 0.8 if code == "OQ" else 0.2, "SU": 0.1}) for code in ("OQ", "SU") * 20]
    report = judged(right, ["OQ", "SU", "SU", "OQ"] * 10, ("OQ", "SU"), Options(20, 50))
    assert report.calibration is not None
    error, low, high = (
        f"{one:.3f}" for one in (report.calibration.error, report.calibration.low, report.calibration.high)
    )
    assert low < error < high
    assert (
        found(report, "esconv", "expected calibration error (ECE), mean over codes, ESConv").reached
        == f"{error} [{low}, {high}]"
    )


def test_fresh_practice_chats_have_a_section_and_rows_of_their_own(project: Path) -> None:
    practice = project / "annotations" / "practice"
    (practice / "test_l.jsonl").write_bytes((practice / "test_c.jsonl").read_bytes())
    result = suite()
    assert "not found" not in lines_of(result, "Fresh practice chats, F1 of each")[0]
    page = (project / "docs" / "benchmark.md").read_text(encoding="utf-8")
    assert page.index("\n## Practice chats") < page.index("\n## Fresh practice chats")


def test_a_record_without_a_test_part_is_no_figure() -> None:
    [*_, row] = targets(Measured({}, {}, TrainingRecord({}, [], {"dev": 0.8}, {"dev": 0.8}), {}))
    assert (row.reached, row.met) == ("training.json has no figures of the test part", None)


def test_absent_corpora_and_folds_are_named_and_the_rest_goes_on(project: Path) -> None:
    result = suite()
    assert all("data not found: The folder data does not exist" in line for line in lines_of(result, "ESConv, "))
    assert "not run: python benchmarks/annomi_folds.py" in lines_of(result, "AnnoMI, 5 folds by video, 8")[0]
    assert "the model has no training.json" in lines_of(result, "macro-F1 lost by rounding")[0]
    assert (
        "not found"
        not in lines_of(
            result, "prediction sets for 90%: share of messages whose set contains all gold codes, Practice"
        )[0]
    )
    assert "ESConv ..." in result.stderr and "targets are met; " in result.stderr
    page = (project / "docs" / "benchmark.md").read_text(encoding="utf-8")
    assert page.index("| measure ") < page.index("## Practice chats")
    assert "## ESConv" not in page and SAID not in page + result.output


def test_absent_practice_chats_are_named(project: Path) -> None:
    (project / "annotations" / "practice" / "test_c.jsonl").unlink()
    assert "data not found: no file annotations" in lines_of(suite(), "Practice chats, F1 of each")[0]


def test_a_corpus_without_codes_of_the_project_is_not_measured(project: Path) -> None:
    write_esconv(project)
    assert "data not found: no codes in annotations" in lines_of(suite(), "ESConv, macro-F1")[0]


def test_settled_codes_win_and_uncoded_chats_are_left_out(project: Path) -> None:
    texts = write_esconv(project)
    write_codes(project / "annotations" / "esconv" / "round1.csv", texts[:2], "CQ")
    write_codes(project / "annotations" / "esconv" / "adjudicated.csv", texts[:1], "OQ")
    result = suite()
    page = (project / "docs" / "benchmark.md").read_text(encoding="utf-8")
    section = page[page.index("## ESConv") : page.index("## Practice")]
    assert "2 messages of 2 conversations" in section
    supports = [[cell.strip() for cell in line.split("|")[1:3]] for line in section.splitlines() if line.count("|") > 5]
    assert supports[-2:] == [["OQ", "1"], ["CQ", "1"]]
    assert "no code with enough gold" in lines_of(result, "ESConv, F1 of each")[0]


def test_folds_count_only_when_all_are_run(project: Path) -> None:
    write_folds(3)
    row = lines_of(suite(), "AnnoMI, 5 folds by video, 4")[0]
    assert "3 of 5 folds are run: python benchmarks/annomi_folds.py" in row and row.endswith("–")


def test_all_folds_are_a_figure(project: Path) -> None:
    write_folds(5)
    assert lines_of(suite(), "AnnoMI, 5 folds by video, 4")[0].endswith("yes")


@pytest.mark.parametrize("text", ["fold,conversation_id,index\n", "what\nelse\n", ""])
def test_a_damaged_file_of_folds_costs_only_its_rows(project: Path, text: str) -> None:
    FOLDS.parent.mkdir(parents=True)
    FOLDS.write_text(text)
    result = suite()
    assert lines_of(result, "AnnoMI, 5 folds by video, 8")[0].endswith("–")
    assert (project / "docs" / "benchmark.md").is_file()


def test_a_broken_model_is_an_error_and_no_page(project: Path) -> None:
    (project / "model" / "config.json").write_text("{")
    assert isinstance(suite().exception, BadModel)
    assert not (project / "docs" / "benchmark.md").exists()


def test_a_second_run_writes_the_same_page_again(project: Path) -> None:
    assert suite().exit_code == 0
    page = project / "docs" / "benchmark.md"
    first = page.read_bytes()
    assert suite("-o", "docs/benchmark.md").exit_code == 0
    assert page.read_bytes() == first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["annotations/practice/test_c.jsonl"], "leave out GOLD"),
        (["--allow-seen", "--min-support", "5", "--format", "csv"], "--min-support, --allow-seen, --format"),
        (["--as", "json"], "leave out --as"),
        (["-o", "annotations/practice/test_c.jsonl", "--force"], "is an input"),
        (["-o", "annotations/practice/test_l.jsonl", "--force"], "is an input"),
        (["-o", "notes.md"], "--force"),
        (["-o", "nowhere/page.md"], "no folder nowhere"),
    ],
)
def test_misuse_of_the_suite(project: Path, options: list[str], words: str) -> None:
    (project / "notes.md").write_text("mine")
    before = (project / "annotations" / "practice" / "test_c.jsonl").read_bytes()
    error = suite(*options).exception
    assert isinstance(error, UsageProblem)
    assert words in str(error)
    assert (project / "notes.md").read_text() == "mine"
    assert (project / "annotations" / "practice" / "test_c.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Name a file with GOLD codes, or ask for all of the project's own with --suite"),
        (["annotations/practice/test_c.jsonl", "--data", "data"], "--data: only with --suite"),
    ],
)
def test_misuse_without_the_suite(project: Path, options: list[str], words: str) -> None:
    error = CliRunner().invoke(command, options).exception
    assert isinstance(error, UsageProblem)
    assert words in str(error)


def write_esconv(project: Path) -> list[tuple[str, int, str]]:
    """Three chats with one counselor message each, and an empty file of failed ones; place and text of the messages."""
    folder = project / "data" / "esconv"
    folder.mkdir(parents=True)
    about = dict.fromkeys(("experience_type", "emotion_type", "problem_type"), "any")
    survey: dict[str, dict[str, str]] = {"seeker": {}, "supporter": {}}
    texts = [f"{SAID} {number}" for number in range(3)]
    records = [
        about
        | {
            "conv_id": f"c{number}",
            "situation": f"situation {number}",
            "survey_score": survey,
            "official_split": "test",
            "dialog": [{"text": "hello", "speaker": "usr"}, {"text": text, "speaker": "sys", "strategy": "Question"}],
        }
        for number, text in enumerate(texts)
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / CHATS).write_bytes(gzip.compress(lines.encode()))
    (folder / FAILED_CHATS).write_bytes(gzip.compress(b""))
    return [(f"c{number}", 1, text) for number, text in enumerate(texts)]


def write_codes(path: Path, messages: Sequence[tuple[str, int, str]], code: str) -> None:
    path.parent.mkdir(exist_ok=True)
    rows = [f"{name},{index},{text_hash(text)},{code},,,,3,a,1" for name, index, text in messages]
    header = "conversation_id,index,text_hash,codes,depth,permission,reason,confidence,coder,round"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    meta = {"codebook": Codebook.load().hash, "coder": "a test", "unit": "message"}
    path.with_name(path.name + ".meta.json").write_text(json.dumps(meta))


def test_how_often_the_tests_were_opened_goes_onto_the_page_where_it_is_written(project: Path) -> None:
    assert suite().exit_code == 0
    assert "opened" not in (project / "docs" / "benchmark.md").read_text(encoding="utf-8")
    OPENED.parent.mkdir(parents=True)
    OPENED.write_text("## How often the tests were opened\n\nOnce.\n", encoding="utf-8")
    assert suite().exit_code == 0
    page = (project / "docs" / "benchmark.md").read_text(encoding="utf-8")
    assert page.index("(#how-often-the-tests-were-opened)") < page.index("## Targets")
    assert page.index("## Targets") < page.index("\n\n## How often the tests were opened\n\nOnce.\n\n## Practice chats")
