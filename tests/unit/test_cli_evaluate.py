"""`mi-code evaluate` on invented chats, without a real model."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from mi_coder.cli.evaluate import command
from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding, Conversation
from mi_coder.errors import MiCoderError, UsageProblem
from mi_coder.evaluation.baseline import Baseline
from mi_coder.evaluation.leak import training_hash
from mi_coder.evaluation.run import TrainedOnThese
from mi_coder.tagger.config import LOADED_FILES, Head, ModelConfig, Window, read_config, write_config
from mi_coder.tagger.tagger import Tagger

BOOK = Codebook.load()
TEXTS = ["What was it like?", "That sounds rough.", "It was rough, what then?"]
GOLD = [["OQ"], ["SU"], ["SU", "OQ"]]
GIVEN = [["OQ"], ["SU", "OQ"], ["SU"]]


def message(text: str, **fields: Any) -> dict[str, Any]:
    return {"role": "counselor", "text": text, **fields}


def write(path: Path, field: Callable[[list[str]], dict[str, Any]], codes: list[list[str]], chats: int = 4) -> Path:
    lines = [
        {
            "conversation_id": f"chat-{i}",
            "messages": [message(t, **field(c)) for t, c in zip(TEXTS, codes, strict=True)],
        }
        for i in range(chats)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    return write(tmp_path / "gold.jsonl", lambda codes: {"gold": {"codes": codes}}, GOLD)


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    return write(tmp_path / "gold.tagged.jsonl", lambda codes: {"codes": codes}, GIVEN)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder whose weights are never run, trained on chat-0 and another conversation, and never on IP."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in LOADED_FILES:
        (folder / name).write_bytes(b"weights")
    config = ModelConfig(
        name="toy",
        version="1",
        codebook=BOOK.hash,
        codes=list(BOOK.ids),
        heads=[Head(trained=code != "IP") for code in BOOK.ids],
        depth=Head(),
        permission=Head(),
        review_below=0.5,
        window=Window(),
        base="none",
        training_ids=sorted(training_hash(name) for name in ("chat-0", "another")),
        files=dict.fromkeys(LOADED_FILES, sha256(b"weights").hexdigest()),
    )
    write_config(config, folder)
    return folder


@pytest.fixture
def with_baseline(model: Path) -> Path:
    """The model with a baseline that gives OQ where there is a question mark."""
    coefficients = np.zeros((len(BOOK.ids), 2), dtype=np.float16)
    coefficients[BOOK.ids.index("OQ"), 0] = 20
    Baseline(
        codes=BOOK.ids,
        trained=np.ones(len(BOOK.ids), dtype=bool),
        thresholds=np.full(len(BOOK.ids), 0.5),
        words=("?",),
        characters=("zz",),
        idf=np.ones(2, dtype=np.float32),
        coefficients=coefficients,
        intercepts=np.full(len(BOOK.ids), -10, dtype=np.float32),
    ).save(model)
    return model


class EchoTagger:
    """Gives every message the codes of GIVEN."""

    def tag_many(self, conversations: Iterable[Conversation]) -> Iterator[Conversation]:
        for one in conversations:
            codings = [Coding(tuple(codes), {}) for codes in GIVEN]
            yield replace(one, messages=[replace(m, coding=c) for m, c in zip(one.messages, codings, strict=True)])


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tagger, "load", lambda folder, threads: EchoTagger())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=True)


def figures(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--as", "json", "--min-support", 1)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def code_row(report: dict[str, Any], code: str) -> dict[str, Any]:
    return next(row for row in report["rows"] if row["score"]["code"] == code)


def test_gold_against_tagged(gold: Path, tagged: Path) -> None:
    report = figures(gold, "--tagged", tagged)
    score = code_row(report, "OQ")["score"]
    assert (score["positives"], score["precision"], score["recall"], score["f1"]) == (8, 0.5, 0.5, 0.5)
    assert (score["f1_low"], score["f1_high"]) == (0.5, 0.5)
    assert report["macro"]["coder"]["value"] == pytest.approx((0.5 + 1) / 2)
    assert report["exact"]["coder"]["value"] == pytest.approx(1 / 3)
    assert report["source"]["gold_sha256"] == sha256(gold.read_bytes()).hexdigest()
    assert report["source"]["coder_sha256"] == sha256(tagged.read_bytes()).hexdigest()
    assert any("is not known" in note for note in report["notes"])
    assert any("--baseline" in note for note in report["notes"])


def test_same_input_same_bytes(gold: Path, tagged: Path) -> None:
    assert run(gold, "--tagged", tagged).stdout_bytes == run(gold, "--tagged", tagged).stdout_bytes


def test_table_and_file(gold: Path, tagged: Path, tmp_path: Path) -> None:
    assert run(gold, "--tagged", tagged).stdout.startswith("gold.tagged.jsonl on gold.jsonl\n")
    output = tmp_path / "report.md"
    result = run(gold, "--tagged", tagged, "--as", "markdown", "-o", output)
    assert output.read_text(encoding="utf-8").startswith("# gold.tagged.jsonl on gold.jsonl\n")
    assert result.stdout == ""
    assert "macro-F1" in result.stderr


def test_a_model_is_refused_on_what_it_was_trained_on(gold: Path, model: Path, echo: None) -> None:
    result = run(gold, "--model", model)
    assert isinstance(result.exception, TrainedOnThese)
    assert result.exception.exit_code == 2
    for part in ("1 of the 4 gold conversations (chat-0)", "--only-unseen", "--allow-seen"):
        assert part in str(result.exception)
    assert result.stdout == ""


def test_a_tagged_file_is_refused_when_its_model_knows_the_chats(gold: Path, tagged: Path, model: Path) -> None:
    assert isinstance(run(gold, "--tagged", tagged, "--model", model).exception, TrainedOnThese)


def test_a_baseline_is_refused_when_it_knows_the_chats(gold: Path, tagged: Path, with_baseline: Path) -> None:
    assert isinstance(run(gold, "--tagged", tagged, "--baseline", with_baseline).exception, TrainedOnThese)


def test_only_unseen_leaves_out_what_was_trained_on(gold: Path, model: Path, echo: None) -> None:
    report = figures(gold, "--model", model, "--only-unseen")
    assert (report["conversations"], report["messages"]) == (3, 9)
    assert report["source"]["coder"] == "toy 1"
    assert report["notes"][0] == (
        "1 gold conversations on which, or on whose group, the model was trained are left out."
    )
    assert not code_row(report, "IP")["trained"]
    assert any("not trained to give IP" in note for note in report["notes"])


def test_allow_seen_warns_in_the_title(gold: Path, model: Path, echo: None) -> None:
    result = run(gold, "--model", model, "--allow-seen")
    assert result.stdout.splitlines()[0] == (
        "toy 1 on gold.jsonl (WARNING: trained on 1 of these conversations or their groups)"
    )
    assert "12 messages of 4 conversations" in result.stdout


def test_a_chat_of_a_training_group_is_refused(tmp_path: Path, model: Path, echo: None) -> None:
    config = msgspec.structs.replace(read_config(model), training_ids=[training_hash("group:worker-1")])
    write_config(config, model)
    record = {"messages": [message(text, gold={"codes": codes}) for text, codes in zip(TEXTS, GOLD, strict=True)]}
    chats = [record | {"conversation_id": f"new-{i}", "source_group": f"worker-{i}"} for i in range(3)]
    gold = tmp_path / "grouped.jsonl"
    gold.write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    refused = run(gold, "--model", model).exception
    assert isinstance(refused, TrainedOnThese)
    assert "1 of the 3 gold conversations (new-1) or on others of their source_group" in str(refused)
    assert figures(gold, "--model", model, "--only-unseen")["conversations"] == 2


def test_nothing_unseen_is_refused(tmp_path: Path, model: Path, echo: None) -> None:
    only = write(tmp_path / "only.jsonl", lambda codes: {"gold": {"codes": codes}}, GOLD, chats=1)
    assert isinstance(run(only, "--model", model, "--only-unseen").exception, TrainedOnThese)


def test_the_baseline_stands_beside(gold: Path, with_baseline: Path, echo: None) -> None:
    report = figures(gold, "--model", with_baseline, "--only-unseen")
    assert code_row(report, "OQ")["baseline_f1"] == 1
    assert code_row(report, "SU")["baseline_f1"] == 0
    assert report["macro"]["difference"]["value"] == pytest.approx(0.25)
    assert "TF-IDF F1" in run(gold, "--model", with_baseline, "--allow-seen").stdout


@pytest.mark.parametrize("command_line", [["--model"], ["--tagged"]])
def test_the_baseline_needs_none_of_the_training_packages(
    command_line: list[str],
    gold: Path,
    tagged: Path,
    with_baseline: Path,
    echo: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for package in ("sklearn", "scipy", "torch", "transformers", "pandas"):
        monkeypatch.setitem(sys.modules, package, None)
    files = [tagged, "--baseline"] if command_line == ["--tagged"] else []
    report = figures(gold, *command_line, *files, with_baseline, "--only-unseen")
    assert report["macro"]["baseline"] is not None


def test_codes_stand_in_for_gold_and_the_report_says_so(tagged: Path, tmp_path: Path) -> None:
    human = write(tmp_path / "human.jsonl", lambda codes: {"codes": codes}, GOLD)
    report = figures(human, "--tagged", tagged)
    assert report["exact"]["coder"]["value"] == pytest.approx(1 / 3)
    assert report["notes"][0] == "human.jsonl has no field gold: its field codes is taken as complete gold."
    assert not any("a tagger gave them" in note for note in report["notes"])


def test_codes_of_a_tagger_are_told_from_those_of_people(tagged: Path, tmp_path: Path) -> None:
    scored = write(tmp_path / "out.jsonl", lambda codes: {"codes": codes, "scores": dict.fromkeys(codes, 0.9)}, GOLD)
    assert "Its codes have scores, so a tagger gave them" in figures(scored, "--tagged", tagged)["notes"][1]


def test_codes_are_not_gold_where_any_message_has_gold(gold: Path, tagged: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.jsonl"
    with_gold, with_codes = (path.read_text().splitlines(keepends=True) for path in (gold, tagged))
    mixed.write_text("".join(with_gold[:1] + with_codes[1:]))
    assert figures(mixed, "--tagged", tagged)["conversations"] == 1


def test_another_text_is_refused_without_showing_it(gold: Path, tagged: Path) -> None:
    tagged.write_text(tagged.read_text().replace("That sounds rough.", "A private sentence."))
    result = run(gold, "--tagged", tagged)
    assert isinstance(result.exception, MiCoderError)
    assert "conversation 'chat-0', message 1" in str(result.exception)
    assert "private" not in str(result.exception) and "rough" not in str(result.exception)


def test_a_report_goes_to_a_new_file_unless_forced(gold: Path, tagged: Path, tmp_path: Path) -> None:
    report = tmp_path / "new" / "report.txt"
    assert run(gold, "--tagged", tagged, "-o", report).exit_code == 0
    refused = run(gold, "--tagged", tagged, "-o", report, "--as", "json")
    assert isinstance(refused.exception, UsageProblem)
    assert "--force" in str(refused.exception)
    assert run(gold, "--tagged", tagged, "-o", report, "--as", "json", "--force").exit_code == 0
    assert json.loads(report.read_bytes())["messages"] == 12


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_report_never_takes_the_place_of_an_input(gold: Path, tagged: Path, tmp_path: Path, force: list[str]) -> None:
    (tmp_path / "linked").symlink_to(tmp_path)
    for output in (gold, tagged, tmp_path / "linked" / "gold.jsonl"):
        before = output.read_bytes()
        refused = run(gold, "--tagged", tagged, "-o", output, *force)
        assert isinstance(refused.exception, UsageProblem)
        assert "is an input" in str(refused.exception)
        assert output.read_bytes() == before


def test_contrary_options_are_refused(gold: Path) -> None:
    assert isinstance(run(gold, "--only-unseen", "--allow-seen").exception, UsageProblem)


def test_help_has_an_example() -> None:
    assert "mi-code evaluate gold.jsonl" in run("--help").output
