"""Whether the client asked for advice: told from single sentences of theirs among the last messages.

Permission is given in one sentence ("What would you do?") that may lie far back. So every sentence of the client is
looked at alone: its word pieces, pairs and triples of them have weights, and it counts less the further back it stands.
That any of them asked is a noisy or of all (Pearl 1988; multiple-instance learning, Maron and Lozano-Pérez 1998). What
it tells joins the encoder in the logit of permission.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Floats
from mi_coder.tagger.config import ASKING_FILE, BadModel
from mi_coder.tagger.window import BUCKETS, Said, Tokens

_MOST = 127
_LEAST = 1e-6

Bounded = Annotated[float, msgspec.Meta(ge=-1e3, le=1e3)]
Positive = Annotated[float, msgspec.Meta(ge=0, le=1e3)]


class Asking(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """The content of `asking.json`.

    Attributes:
        weights: one signed byte for each bucket of `Said.grams`; times `scale`, its weight.
        bias: log odds that a sentence asks whose weights add up to 0.
        fading: what it loses with every message that it is further back.
        leak: log odds that the client asked where no sentence does.
        share: how much of the log odds over `center` is added to the logit of permission.
    """

    weights: Annotated[bytes, msgspec.Meta(min_length=BUCKETS, max_length=BUCKETS)]
    scale: Positive
    bias: Bounded
    fading: Positive
    leak: Bounded
    share: Positive
    center: Bounded

    @classmethod
    def rounded(cls, weights: Floats, *, bias: float, fading: float, leak: float) -> "Asking":
        """With `weights` [buckets] as signed bytes, and nothing added to the logit yet."""
        scale = float(np.abs(weights).max()) / _MOST or 1.0
        rounded = np.rint(weights / scale).astype(np.int8).tobytes()
        return cls(weights=rounded, scale=scale, bias=bias, fading=fading, leak=leak, share=0.0, center=0.0)

    @cached_property
    def table(self) -> Floats:
        """[buckets] the weights."""
        return np.frombuffer(self.weights, dtype=np.int8).astype(np.float64) * self.scale

    def odds(self, said: Sequence[Said]) -> float:
        """Log odds that any of these sentences asks."""
        nothing = _softplus(self.leak)
        for one in said:
            told = float(self.table[one.grams].sum()) / math.sqrt(len(one.grams))
            nothing += _softplus(told + self.bias - self.fading * (one.back - 1))
        return math.log(math.expm1(max(nothing, _LEAST))) if nothing < 30 else nothing

    def join(self, logits: NDArray[np.float32], windows: Sequence[Tokens]) -> NDArray[np.float32]:
        """A copy of `logits` [windows, heads] with what is added to the last one, permission.

        Where the client said nothing, that is 0.
        """
        added = [self.share * (self.odds(one.said) - self.center) if one.said else 0.0 for one in windows]
        joined = logits.copy()
        joined[:, -1] += np.array(added, dtype=np.float32)
        return joined


def read_asking(folder: Path) -> Asking | None:
    """What stands in `asking.json` of a model folder; None where it has none.

    Raises:
        BadModel: the file is malformed.
    """
    path = folder / ASKING_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Asking)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadModel(f"{path}: {error}. Copy the whole folder again.") from None


def write_asking(asking: Asking, folder: Path) -> None:
    """Write `asking.json`."""
    (folder / ASKING_FILE).write_bytes(msgspec.json.encode(asking) + b"\n")


def _softplus(z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))
