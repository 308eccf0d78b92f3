"""Messages of which depth or permission is known, and the regression that joins what their words tell with the encoder.

What plain words tell stands beside the encoder in one logit, the "wide" part of a wide and deep model (Cheng et al.
2016, arXiv 1606.07792).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mi_coder.arrays import Floats
from mi_coder.errors import need
from mi_coder.tagger.window import Tokens
from mi_coder.training.calibrate import MIN_KNOWN


@dataclass(frozen=True, slots=True)
class Known:
    """Messages of which an attribute is known.

    Attributes:
        tokens: their windows.
        truth: [messages] 1 for complex or with permission, 0 for simple or without.
    """

    tokens: Sequence[Tokens]
    truth: Floats

    @classmethod
    def among(cls, tokens: Sequence[Tokens], attribute: Floats) -> "Known":
        """Those of `tokens` whose `attribute`, [messages], is not nan."""
        known = np.flatnonzero(~np.isnan(attribute))
        return cls([tokens[row] for row in known], attribute[known])

    @property
    def enough(self) -> bool:
        """Whether 20 messages of either value are known."""
        ones = int((self.truth == 1).sum())
        return min(ones, len(self.truth) - ones) >= MIN_KNOWN


def regression(inverse_strength: float) -> Any:
    """A logistic regression of scikit-learn.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    linear = need("sklearn.linear_model", extra="train")
    return linear.LogisticRegression(C=inverse_strength, max_iter=1000)
