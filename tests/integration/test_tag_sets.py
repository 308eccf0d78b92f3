"""`mi-code tag --sets` and what evaluation says of the sets, with a quick model."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner, Result

from benchmarks.material.chats import flat_records
from mi_coder.cli.evaluate import command as evaluate
from mi_coder.cli.tag import command as tag
from mi_coder.conversation import Conversation, Message
from mi_coder.errors import UsageProblem
from mi_coder.formats import AS_CODED, read_conversations
from mi_coder.tagger.config import BadModel, read_config, write_config
from mi_coder.tagger.model import BUNDLED
from mi_coder.tagger.tagger import Tagger
from tests.chats import read_jsonl, write_jsonl

SCHEMA = Path(__file__).parents[2] / "schemas" / "coded.schema.json"


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    write_config(msgspec.structs.replace(read_config(tiny), set_cuts={"0.8": 0.3, "0.9": 0.1}), folder)
    return folder


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    write_jsonl(path, list(flat_records(60)))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(tag, [str(one) for one in arguments])


def coded(path: Path) -> list[dict[str, Any]]:
    return [record for record in read_jsonl(path) if record.get("codes")]


def test_sets_hold_the_given_codes_and_those_above_the_cut(model: Path, chats: Path, tmp_path: Path) -> None:
    assert run(chats, "--model", model, "--sets", "0.9", "--scores", "all").exit_code == 0
    records = coded(tmp_path / "a.tagged.jsonl")
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_bytes()))
    assert records
    for record in records:
        validator.validate(record)
        possible, scores = record["possible"], record["scores"]
        assert {*record["codes"]} <= {*possible}
        assert {code for code, score in scores.items() if score > 0.1001} <= {*possible}
        assert all(scores[code] >= 0.0999 or code in record["codes"] for code in possible)
        assert [scores[code] for code in possible] == sorted((scores[code] for code in possible), reverse=True)
    assert any(len(record["possible"]) > len(record["codes"]) for record in records)


def test_sets_change_no_other_field(model: Path, chats: Path, tmp_path: Path) -> None:
    run(chats, "--model", model, "-o", tmp_path / "plain.jsonl")
    run(chats, "--model", model, "--sets", "0.8", "-o", tmp_path / "sets.jsonl")
    plain, sets = coded(tmp_path / "plain.jsonl"), coded(tmp_path / "sets.jsonl")
    assert not any("possible" in record for record in plain)
    assert [{name: value for name, value in one.items() if name != "possible"} for one in sets] == plain


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_sets_are_read_back(model: Path, chats: Path, tmp_path: Path, name: str) -> None:
    run(chats, "--model", model, "--sets", "0.9", "-o", tmp_path / "out" / name)
    tagger = Tagger.load(model, sets=0.9)
    expected = tagger.tag_many(read_conversations(chats, AS_CODED))
    found = read_conversations(tmp_path / "out" / name, AS_CODED)
    for one, other in zip(expected, found, strict=True):
        for message, back in zip(one.counselor_messages, other.counselor_messages, strict=True):
            assert message.coding is not None
            assert back.coding is not None
            assert back.coding.possible == message.coding.possible


def test_the_sidecar_tells_and_another_share_is_another_run(model: Path, chats: Path, tmp_path: Path) -> None:
    run(chats, "--model", model, "--sets", "0.9")
    meta = json.loads((tmp_path / "a.tagged.meta.json").read_bytes())
    assert meta["fingerprint"]["options"]["sets"] == 0.9
    assert run(chats, "--model", model, "--sets", "0.9").exit_code == 0
    for other in ([], ["--sets", "0.8"]):
        result = run(chats, "--model", model, *other)
        assert "the option sets" in str(result.exception)


def test_a_finished_output_of_a_version_without_sets_is_left_alone(model: Path, chats: Path, tmp_path: Path) -> None:
    run(chats, "--model", model)
    path = tmp_path / "a.tagged.meta.json"
    meta = json.loads(path.read_bytes())
    del meta["fingerprint"]["options"]["sets"]
    path.write_text(json.dumps(meta))
    assert run(chats, "--model", model).exit_code == 0


@pytest.mark.parametrize("share", [0.75, 0.85, 0.95])
def test_shares_that_the_model_does_not_know_are_refused(model: Path, tiny: Path, share: float) -> None:
    words = rf"tiny 1 has no prediction sets .* {re.escape(str(share))} .*: 0\.8, 0\.9\. .*mi-code train"
    with pytest.raises(UsageProblem, match=words):
        Tagger.load(model, sets=share)
    with pytest.raises(UsageProblem, match="them for: none"):
        Tagger.load(tiny, sets=0.9)


@pytest.mark.parametrize("options", [{"unit": "sentence"}, {"context": 0}])
def test_messages_that_are_read_otherwise_have_no_sets(model: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageProblem, match="whole messages with 2 previous ones"):
        Tagger.load(model, sets=0.9, **options)
    assert Tagger.load(model, sets=0.9, context=2).context == 2


def test_an_empty_message_has_no_set(model: Path) -> None:
    [message] = Tagger.load(model, sets=0.9).tag(Conversation("c", [Message("counselor", " ")])).messages
    assert message.coding is not None
    assert message.coding.possible == ()


def test_models_from_before_sets_are_read(tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "older"))
    config = json.loads((folder / "config.json").read_bytes())
    del config["set_cuts"]
    (folder / "config.json").write_text(json.dumps(config))
    assert read_config(folder).set_cuts == {}
    assert read_config(BUNDLED).codes


@pytest.mark.parametrize("cuts", [{"0.9": 1.5}, {"90 %": 0.1}, {"1.0": 0.1}])
def test_cuts_that_cannot_be_are_refused(tiny: Path, tmp_path: Path, cuts: dict[str, float]) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "spoiled"))
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config | {"set_cuts": cuts}))
    with pytest.raises(BadModel, match="set_cuts"):
        read_config(folder)


def test_an_evaluation_measures_the_sets_of_the_model(model: Path, tiny: Path, tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    write_jsonl(gold, [one | {"gold": {"codes": ["SU"]}} for one in flat_records(40) if one["role"] == "counselor"])

    def sets(folder: Path) -> Any:
        result = CliRunner().invoke(evaluate, [str(gold), "--model", str(folder), "--as", "json", "--bootstrap", "20"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)["doubt"]["sets"]

    assert sets(model)["messages"] > 0
    assert sets(tiny) is None
