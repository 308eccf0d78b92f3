"""What a tagged file's sidecar tells of the model that made it."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mi_coder.batch.counts import Counts
from mi_coder.batch.journal import Fingerprint
from mi_coder.batch.meta import Meta
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, Message
from mi_coder.errors import UsageProblem
from mi_coder.evaluation import coder
from mi_coder.evaluation.coder import file_coder, model_coder
from mi_coder.tagger.config import LOADED_FILES, Head, ModelConfig, Window, read_config, write_config
from mi_coder.tagger.model import unchecked_model

BOOK = Codebook.load()


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    path = tmp_path / "chats.tagged.jsonl"
    path.write_bytes(b"")
    return path


def write_meta(
    tagged: Path, codebook: str = BOOK.hash, files: dict[str, str] | None = None, options: dict[str, Any] | None = None
) -> None:
    trained = [code for code in BOOK.ids if code != "CC"]
    meta = Meta("0", "toy 1", codebook, trained, Fingerprint({}, files or {}, options or {}), Counts())
    tagged.with_name("chats.tagged.meta.json").write_bytes(msgspec.json.encode(meta))


def write_model(folder: Path, training_ids: list[str]) -> Path:
    folder.mkdir()
    heads = [Head(trained=code != "IP") for code in BOOK.ids]
    write_config(
        ModelConfig(
            name="toy",
            version="1",
            codebook=BOOK.hash,
            codes=list(BOOK.ids),
            heads=heads,
            depth=Head(),
            permission=Head(),
            review_below=0.5,
            window=Window(),
            base="none",
            training_ids=training_ids,
            files=dict.fromkeys(LOADED_FILES, "00"),
        ),
        folder,
    )
    return folder


def test_without_a_sidecar_nothing_is_known_of_the_model(tagged: Path) -> None:
    found = file_coder(tagged, None)
    assert (found.name, found.config, found.untrained) == ("chats.tagged.jsonl", None, ())


def test_the_sidecar_names_the_model_and_what_it_cannot_give(tagged: Path) -> None:
    write_meta(tagged, files={"model.onnx": "00"})
    found = file_coder(tagged, None)
    assert (found.name, found.config, found.untrained) == ("chats.tagged.jsonl (toy 1)", None, ("CC",))


def test_a_file_of_the_bundled_model_is_known_by_its_hashes(
    tagged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path / "default", ["0123456789abcdef"])
    monkeypatch.setattr(coder, "BUNDLED", folder)
    write_meta(tagged, files=unchecked_model(folder).digests)
    found = file_coder(tagged, None)
    assert found.config is not None
    assert found.config.training_ids == ["0123456789abcdef"]
    assert found.untrained == ("IP",)


@pytest.mark.parametrize(
    ("unit", "context", "cut"), [("message", 5, 0.25), ("message", 0, None), ("sentence", 5, None)]
)
def test_sets_are_promised_only_as_they_were_measured(
    tagged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: str, context: int, cut: float | None
) -> None:
    folder = write_model(tmp_path / "default", [])
    monkeypatch.setattr(coder, "BUNDLED", folder)
    write_config(msgspec.structs.replace(read_config(folder), set_cuts={"0.9": 0.25}), folder)
    write_meta(tagged, files=unchecked_model(folder).digests, options={"unit": unit, "context": context})
    found = file_coder(tagged, None)
    assert (found.set_cut("0.9"), found.set_cut("0.8")) == (cut, None)


def test_the_bundled_model_with_other_thresholds_is_another_one(
    tagged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path / "default", [])
    monkeypatch.setattr(coder, "BUNDLED", folder)
    write_meta(tagged, files=unchecked_model(folder).digests)
    write_config(msgspec.structs.replace(read_config(folder), review_below=0.1), folder)
    assert file_coder(tagged, None).model is None


def test_another_codebook_is_refused(tagged: Path) -> None:
    write_meta(tagged, codebook="sha256:0000000000000000")
    with pytest.raises(UsageProblem, match=r"sha256:0000000000000000.*mi-code tag"):
        file_coder(tagged, None)


def test_another_model_than_the_named_one_is_refused(tagged: Path, tiny: Path) -> None:
    write_meta(tagged, files={"model.onnx": "00"})
    with pytest.raises(UsageProblem, match="made by another model"):
        file_coder(tagged, tiny)


def test_a_sound_model_is_named_with_its_hash_and_tags_with_threads(tiny: Path) -> None:
    found = model_coder(tiny)
    assert (found.name, found.folder) == ("tiny 1", tiny)
    assert found.sha256 == hashlib.sha256((tiny / "model.onnx").read_bytes()).hexdigest()
    chat = Conversation("c", [Message("counselor", text) for text in ("how come?", "hm", "that is a lot")])
    [alone], [threaded] = (list(found.codings([chat], threads)) for threads in (1, 2))
    assert alone == threaded
    assert all(message.coding for message in alone.messages)
