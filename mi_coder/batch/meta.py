"""The sidecar `NAME.meta.json`: what made a tagged file, and what it counted."""

from pathlib import Path
from typing import Any

import msgspec
import onnxruntime
import tokenizers

import mi_coder
from mi_coder.batch.counts import Counts
from mi_coder.batch.journal import Fingerprint
from mi_coder.batch.options import TagOptions
from mi_coder.tagger.tagger import Tagger


class Meta(msgspec.Struct, frozen=True):
    """The content of the sidecar.

    Attributes:
        mi_coder: version of this package.
        model: name and version of the model.
        codebook: hash of the codebook.
        trained_codes: codes that the model can give.
        fingerprint: input, model files, options and versions.
    """

    mi_coder: str
    model: str
    codebook: str
    trained_codes: list[str]
    fingerprint: Fingerprint
    counts: Counts

    @classmethod
    def of(cls, tagger: Tagger, options: TagOptions, source: dict[str, str | int]) -> "Meta":
        """The sidecar of a run that has counted nothing yet."""
        config = tagger.config
        trained = list(config.trained)
        versions = {
            "mi-coder": mi_coder.__version__,
            "onnxruntime": onnxruntime.__version__,
            "tokenizers": tokenizers.__version__,
        }
        fingerprint = Fingerprint(source, tagger.digests, _choices(tagger, options), versions)
        return cls(
            mi_coder.__version__, f"{config.name} {config.version}", config.codebook, trained, fingerprint, Counts()
        )


def read_meta(path: Path) -> Meta | None:
    """The sidecar at `path`, or None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Meta)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _choices(tagger: Tagger, options: TagOptions) -> dict[str, Any]:
    """Every choice that changes the output, as plain values."""
    choices: dict[str, Any] = {**tagger.choices, "scores": options.scores, **vars(options.read)}
    choices["roles"] = dict(options.read.roles.names)
    del choices["max_decompressed"]
    return choices
