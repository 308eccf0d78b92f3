"""Teachers: what they tell is learned, and what they must not have seen."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mi_coder.corpora.parts import split
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.leak import training_hash
from mi_coder.tagger.config import MODEL_FILE, read_config
from mi_coder.tagger.model import file_sha256, open_model
from mi_coder.training.data import MIXED, read_gold
from mi_coder.training.fold import Fold
from mi_coder.training.run import TrainOptions, TrainReport, train
from mi_coder.training.teaching import Teaching, teach
from tests.training_material import FAST


def test_a_fold_that_is_left_out_is_told_by_the_model_that_has_not_seen_it(
    bert: Path, gold: Path, tmp_path: Path
) -> None:
    options = TrainOptions(
        gold=(gold,), output=tmp_path / "1", version="1", base=str(bert), fit=replace(FAST, epochs=1)
    )
    halves = [train(replace(options, output=tmp_path / str(at), leave_out=Fold(at, 2))) for at in (1, 2)]
    trained = split(read_gold([gold]))["train"]
    for at, half in enumerate(halves, start=1):
        for chat in trained:
            left_out = Fold(at, 2).holds(chat)
            assert (training_hash(chat.id) in half.config.training_ids) is not left_out
    teachers = tuple(half.folder for half in halves)
    told = teach([open_model(folder) for folder in teachers], trained)
    alone = [teach([open_model(folder)], trained) for folder in teachers]
    rows = [Fold(1, 2).holds(chat) for chat in trained for message in chat.messages if message.is_counselor]
    np.testing.assert_array_equal(told, np.where(np.array(rows)[:, None], *alone))


def test_teachers_teach_what_gold_leaves_open(report: TrainReport, bert: Path, gold: Path, tmp_path: Path) -> None:
    """Most gold is taken away; with the teacher the model still learns, without it it does not."""
    parts = {chat.id: part for part, chats in split(read_gold([gold])).items() for chat in chats}
    poor = tmp_path / "poor.jsonl"
    with poor.open("w", encoding="utf-8") as file:
        for line in gold.read_text(encoding="utf-8").splitlines():
            chat = json.loads(line)
            if parts[chat["conversation_id"]] == "train" and chat["conversation_id"] not in ("chat-0", "chat-2"):
                for message in chat["messages"]:
                    message.pop("gold", None)
            file.write(json.dumps(chat) + "\n")

    def macro_f1(name: str, teaching: Teaching) -> float:
        made = train(
            TrainOptions(gold=(poor,), output=tmp_path / name, version="1", base=str(bert), fit=FAST, teaching=teaching)
        )
        card = (made.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
        assert ("what teachers predict" in card) == bool(teaching.teachers)
        license = (made.folder / "LICENSE").read_text(encoding="utf-8")
        assert ("Terms of mi-coder 1 (" in license) == bool(teaching.teachers)
        assert ("It learned what mi-coder 1 (" in card) == bool(teaching.teachers)
        named = f"{report.config.name} {report.config.version} ({file_sha256(report.folder / MODEL_FILE)[:8]}) of "
        assert (named in card) == bool(teaching.teachers)
        assert not made.folder.with_name(f"{name}.checkpoint").exists()
        return made.test.macro.coder.value

    assert macro_f1("taught", Teaching((report.folder,))) > macro_f1("alone", Teaching()) + 0.2
    taught = read_config(tmp_path / "taught")
    assert set(taught.training_ids) >= set(report.config.training_ids)


def test_teachers_tell_copies_with_mixed_sentences_too(
    report: TrainReport, bert: Path, gold: Path, tmp_path: Path
) -> None:
    """The copies join what is learned, uncoded, and no conversation is added to what the model knows."""
    options = TrainOptions(
        gold=(gold,),
        output=tmp_path / "mixed",
        version="1",
        base=str(bert),
        fit=FAST,
        teaching=Teaching((report.folder,)),
    )
    with pytest.raises(UsageProblem, match="need a teacher"):
        train(replace(options, mixed=2, teaching=Teaching()))
    made = train(replace(options, mixed=2))
    copies, coded = made.sources
    assert copies.gold == MIXED
    assert copies.messages == 2 * coded.messages
    assert copies.conversations == coded.conversations
    assert made.config.training_ids == report.config.training_ids
    card = (made.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert re.search(r"mixed copies of the training conversations\W+2\b", card)


def test_a_teacher_that_knows_the_test_chats_is_refused(
    report: TrainReport, bert: Path, gold: Path, tmp_path: Path
) -> None:
    others = tmp_path / "others.jsonl"
    with others.open("w", encoding="utf-8") as file:
        for line in gold.read_text(encoding="utf-8").splitlines():
            chat = json.loads(line)
            chat["split"] = "test" if chat["source_group"] in ("worker-0", "worker-1", "worker-2") else "train"
            file.write(json.dumps(chat) + "\n")
    options = TrainOptions(
        gold=(others,), output=tmp_path / "model", version="1", base=str(bert), teaching=Teaching((report.folder,))
    )
    with pytest.raises(UsageProblem, match="conversations of the test part"):
        train(options)
