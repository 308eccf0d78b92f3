"""What tells one training from another, by name, so that one that cannot go on says why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, fields
from typing import TYPE_CHECKING

import torch
import transformers

from mi_coder import __version__
from mi_coder.tagger.window import Tokens
from mi_coder.training.digest import digest
from mi_coder.training.model import Coder
from mi_coder.training.targets import Targets

if TYPE_CHECKING:
    from mi_coder.training.fit import FitData, FitOptions

_READ = "what the encoder reads (gold, --leave-out, --mixed, --base, --context)"
_LEARNED = "the gold codes (gold, --leave-out)"
_TAUGHT = "what teachers tell (--teacher, --teacher-share, --mixed)"
_ENCODER = "the encoder (--base)"
_FUNNEL = "the layers that read the context (--context-layers, --first-token-layers)"
_HASHED = (_READ, _LEARNED, _TAUGHT, _ENCODER, _FUNNEL)


def identity(model: Coder, train: "FitData", dev: "FitData", options: "FitOptions") -> dict[str, str]:
    """All that a training depends on: values of options, hashes of the rest.

    Where files lie and how they are named has no part in it, nor what it does not read.

    Args:
        model: as it was loaded.
    """
    named = {f"--{one.name.replace('_', '-')}": getattr(options, one.name) for one in fields(options) if one.repr}
    taught = [part.taught for part in (train, dev) if part.taught is not None]
    return {
        **{name: "not given" if value is None else str(value) for name, value in named.items()},
        _READ: digest([repr([_plain(part.tokens) for part in (train, dev)]).encode()]),
        _LEARNED: digest(_bytes((train.targets, dev.targets))),
        _TAUGHT: digest(_bytes(taught)),
        _ENCODER: digest(_encoder(model)),
        _FUNNEL: digest([repr(getattr(model.reader, "funnel", None)).encode()]),
        "mi-coder": __version__,
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
    }


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What differs between two identities, as the end of a sentence; empty where nothing does."""
    if not before:
        return "the state was kept by an older version of mi-coder"
    changed = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    return "; ".join(
        f"{name} changed"
        if name in _HASHED
        else f"{name} was {before.get(name, 'unknown')} and is {now.get(name, 'unknown')}"
        for name in changed
    )


def _plain(tokens: Sequence[Tokens]) -> list[tuple[list[int], int, tuple[int, ...]]]:
    return [(one.ids, one.own, one.client) for one in tokens]


def _bytes(targets: Iterable[Targets]) -> Iterator[bytes]:
    for one in targets:
        for array in astuple(one):
            yield repr(array.shape).encode()
            yield array.tobytes()


def _encoder(model: Coder) -> Iterator[bytes]:
    """How the encoder is built, and the weights that were loaded; those that start anew follow from the seed."""
    config = model.reader.encoder.config.to_dict()
    yield repr(sorted((name, value) for name, value in config.items() if not name.startswith("_"))).encode()
    loaded = model if model.finished else model.reader
    for name, value in loaded.state_dict().items():
        if "pooler" not in name:
            yield name.encode()
            yield value.cpu().numpy().tobytes()
