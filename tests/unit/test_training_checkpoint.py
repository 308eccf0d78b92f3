"""The state of a training on disk."""

from pathlib import Path

import pytest

from mi_coder.errors import MiCoderError

pytest.importorskip("torch", reason="torch is not installed: pip install 'mi-coder[train]'")

import torch

from mi_coder.training.checkpoint import Checkpoint, Snapshot
from mi_coder.training.progress import Epoch


def snapshot(epochs: int) -> Snapshot:
    weights = {"w": torch.ones(2)}
    done = tuple(Epoch(number, 1.0, 0.5, 0.5, 1.0) for number in range(1, epochs + 1))
    return Snapshot(
        epochs=done, score=0.5, order={}, random=torch.get_rng_state(), weights=weights, mean={}, best=weights,
        optimizer={}, identity={"seed": "1"},
    )  # fmt: skip


def test_a_file_in_place_of_its_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"")
    with pytest.raises(MiCoderError, match=r"kept: the state of the training cannot be written: .*Make room"):
        Checkpoint(tmp_path / "kept").save(snapshot(1))


def test_what_was_kept_stays_where_the_next_state_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    from mi_coder.training import checkpoint

    kept = Checkpoint(tmp_path / "kept")
    kept.save(snapshot(1))

    def full(*_: object) -> None:
        raise SafetensorError("No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(MiCoderError, match="No space left on device"):
        kept.save(snapshot(2))
    monkeypatch.undo()
    found = kept.load({"seed": "1"})
    assert found is not None and len(found.epochs) == 1
