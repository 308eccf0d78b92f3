"""TF-IDF and logistic regression: what a model must beat to be worth its size.

Word and character n-grams of the message alone. Saved as arrays and JSON, read back without pickle. It is fitted with
scikit-learn (see `mi_coder.training.baseline_fit`) and needs NumPy alone to run: the n-grams and weights here are those
of scikit-learn's TfidfVectorizer.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import msgspec
import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Bools, Floats
from mi_coder.errors import MiCoderError
from mi_coder.tagger.config import Probability
from mi_coder.tagger.decoding import choose

ARRAYS_FILE = "baseline.npz"
WORDS_FILE = "baseline.json"

_MEND = "Copy the whole folder again, or train the model again."
_MALFORMED = (msgspec.DecodeError, KeyError, ValueError, EOFError, BadZipFile, zlib.error, RuntimeError, OSError)
_TOKEN = re.compile(r"\b\w+\b|\?")


def word_grams(text: str) -> Iterator[str]:
    """Words and question marks in lower case, and pairs of those that follow each other, joined by a space."""
    tokens = _TOKEN.findall(text.lower())
    yield from tokens
    for first, second in pairwise(tokens):
        yield f"{first} {second}"


def character_grams(text: str) -> Iterator[str]:
    """Every two to five characters within a word in lower case, with one space on either side of the word."""
    for word in text.lower().split():
        padded = f" {word} "
        for length in range(2, min(5, len(padded)) + 1):
            for start in range(len(padded) - length + 1):
                yield padded[start : start + length]


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
        parts = (
            (word_grams, _columns(self.words, first=0)),
            (character_grams, _columns(self.characters, first=len(self.words))),
        )
        coefficients = self.coefficients.T.astype(np.float64)
        z = np.tile(self.intercepts.astype(np.float64), (len(texts), 1))
        for row, text in enumerate(texts):
            for grams, column in parts:
                counts = Counter(column[gram] for gram in grams(text) if gram in column)
                z[row] += self._weights(counts) @ coefficients[[*counts]]
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
            with (folder / ARRAYS_FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                coefficients, intercepts, idf = (arrays[name] for name in ("coefficients", "intercepts", "idf"))
        except FileNotFoundError as error:
            raise MiCoderError(f"{folder} has no baseline: {Path(error.filename).name} is missing.") from None
        except _MALFORMED as error:
            raise MiCoderError(f"The baseline in {folder} is malformed: {error}. {_MEND}") from None
        features, codes = len(meta.words) + len(meta.characters), len(meta.codes)
        if (coefficients.shape, intercepts.shape, idf.shape) != ((codes, features), (codes,), (features,)):
            raise MiCoderError(f"The baseline in {folder} is malformed: its two files do not fit. {_MEND}")
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

    def _weights(self, counts: Mapping[int, int]) -> Floats:
        """[features of `counts`] weights of the n-grams of one text, by column: (1 + log count) * idf, of length 1."""
        weights = (1 + np.log([*counts.values()])) * self.idf[[*counts]].astype(np.float64)
        return weights / np.linalg.norm(weights)


def _columns(grams: Sequence[str], first: int) -> dict[str, int]:
    return {gram: column for column, gram in enumerate(grams, start=first)}
