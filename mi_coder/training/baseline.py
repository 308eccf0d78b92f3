"""TF-IDF and logistic regression: what a model must beat to be worth its size.

Word and character n-grams of the message alone. Saved as arrays and JSON, read back without pickle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from mi_coder.errors import MiCoderError, need
from mi_coder.evaluation.metrics import Bools, Floats
from mi_coder.tagger.config import Probability
from mi_coder.tagger.decoding import choose

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

ARRAYS_FILE = "baseline.npz"
WORDS_FILE = "baseline.json"


@dataclass(frozen=True, slots=True)
class Grams:
    """Which n-grams of a text are features; lower case, term frequencies damped by 1 + log."""

    analyzer: str
    lengths: tuple[int, int]
    token: str = r"(?u)\b\w+\b"

    def vectorizer(self, **options: object) -> "TfidfVectorizer":
        """A vectorizer of scikit-learn.

        Raises:
            MissingExtra: scikit-learn is not installed.
        """
        text = need("sklearn.feature_extraction.text", extra="train")
        return text.TfidfVectorizer(
            analyzer=self.analyzer,
            ngram_range=self.lengths,
            token_pattern=self.token if self.analyzer == "word" else None,
            sublinear_tf=True,
            **options,
        )


WORDS = Grams("word", (1, 2), r"(?u)\b\w+\b|\?")
CHARACTERS = Grams("char_wb", (2, 5))


class _Meta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`baseline.json`: the features in the order of the coefficients, words first."""

    codes: list[str]
    trained: list[bool]
    thresholds: list[Probability]
    words: list[str]
    characters: list[str]


@dataclass(frozen=True)
class Baseline:
    """One logistic regression per code.

    Attributes:
        trained: [codes] False where training knew no positive or no negative message.
        thresholds: [codes] probability from which a code is given.
        words, characters: n-grams in the order of the columns.
        idf: [features] inverse document frequencies, words first.
        coefficients: float16 [codes, features].
        intercepts: [codes].
    """

    codes: tuple[str, ...]
    trained: Bools
    thresholds: Floats
    words: tuple[str, ...]
    characters: tuple[str, ...]
    idf: NDArray[np.float32]
    coefficients: NDArray[np.float16]
    intercepts: NDArray[np.float32]

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """[messages, codes] probability of every code; nan for an untrained one."""
        features = self._features(texts)
        z = features @ self.coefficients.T.astype(np.float64) + self.intercepts
        return np.where(self.trained, 1 / (1 + np.exp(-z)), np.nan)

    def predict(self, texts: Sequence[str]) -> Bools:
        """[messages, codes] codes given, by the decision rule of the tagger."""
        thresholds = dict(zip(self.codes, self.thresholds.tolist(), strict=True))
        given = np.zeros((len(texts), len(self.codes)), dtype=bool)
        for row, probability in enumerate(self.probabilities(texts).tolist()):
            scores = {code: p for code, p, known in zip(self.codes, probability, self.trained, strict=True) if known}
            chosen, _ = choose(scores, thresholds)
            given[row] = [code in chosen for code in self.codes]
        return given

    def save(self, folder: Path) -> None:
        """Write `baseline.npz` and `baseline.json`."""
        np.savez_compressed(
            folder / ARRAYS_FILE, coefficients=self.coefficients, intercepts=self.intercepts, idf=self.idf
        )
        meta = _Meta(
            codes=list(self.codes),
            trained=self.trained.tolist(),
            thresholds=self.thresholds.tolist(),
            words=list(self.words),
            characters=list(self.characters),
        )
        (folder / WORDS_FILE).write_bytes(msgspec.json.encode(meta) + b"\n")

    @classmethod
    def load(cls, folder: Path) -> "Baseline":
        """Read what `save` wrote.

        Raises:
            MiCoderError: a file is missing or malformed.
        """
        try:
            meta = msgspec.json.decode((folder / WORDS_FILE).read_bytes(), type=_Meta)
            with np.load(folder / ARRAYS_FILE, allow_pickle=False) as arrays:
                coefficients, intercepts, idf = (arrays[name] for name in ("coefficients", "intercepts", "idf"))
        except FileNotFoundError as error:
            raise MiCoderError(f"{folder} has no baseline: {Path(error.filename).name} is missing.") from None
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            raise MiCoderError(f"The baseline in {folder} is malformed: {error}. Train the model again.") from None
        return cls(
            codes=tuple(meta.codes),
            trained=np.array(meta.trained),
            thresholds=np.array(meta.thresholds),
            words=tuple(meta.words),
            characters=tuple(meta.characters),
            idf=idf,
            coefficients=coefficients,
            intercepts=intercepts,
        )

    def _features(self, texts: Sequence[str]) -> Any:
        split = len(self.words)
        words = _restored(WORDS, self.words, self.idf[:split])
        characters = _restored(CHARACTERS, self.characters, self.idf[split:])
        hstack = need("scipy.sparse", extra="train").hstack
        return hstack([words.transform(texts), characters.transform(texts)], format="csr")


def _restored(grams: Grams, vocabulary: Sequence[str], idf: NDArray[np.float32]) -> "TfidfVectorizer":
    vectorizer = grams.vectorizer(vocabulary={gram: column for column, gram in enumerate(vocabulary)})
    vectorizer.idf_ = idf.astype(np.float64)
    return vectorizer
