"""Groups of units that are alike: k-means over the tagger's scores or over TF-IDF weights of the texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mi_coder.arrays import Floats, Indices
from mi_coder.errors import need
from mi_coder.evaluation.baseline import word_grams

ROUNDS = 30
DIMENSIONS = 50
_FEATURES = 20_000
_STREAM = 1  # other random numbers than those by which a sample is drawn, which must not depend on the clusters


def clusters(vectors: Floats, count: int, seed: int) -> Indices:
    """[units] the number of the cluster of each, from 0 without gaps; at most `count` clusters.

    Lloyd's algorithm from k-means++ starts (Arthur and Vassilvitskii 2007).

    Args:
        vectors: [units, dimensions].
    """
    centers = _starts(vectors, count, np.random.default_rng((seed, _STREAM)))
    nearest = _nearest(vectors, centers)
    for _ in range(ROUNDS):
        members = np.bincount(nearest, minlength=len(centers))
        sums = np.zeros_like(centers)
        np.add.at(sums, nearest, vectors)
        centers = np.where(members[:, None] > 0, sums / np.maximum(members, 1)[:, None], centers)
        before, nearest = nearest, _nearest(vectors, centers)
        if (nearest == before).all():
            break
    return np.unique(nearest, return_inverse=True)[1].astype(np.intp)


def text_vectors(texts: Sequence[str], seed: int) -> Floats:
    """[texts, dimensions] TF-IDF weights of words and word pairs in at most `DIMENSIONS` dimensions (truncated SVD).

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    vectorizer = need("sklearn.feature_extraction.text", extra="train").TfidfVectorizer(
        analyzer=word_grams, sublinear_tf=True, max_features=_FEATURES
    )
    try:
        weights: Any = vectorizer.fit_transform(texts)
    except ValueError:  # no text has a word: all are alike
        return np.zeros((len(texts), 1))
    if min(weights.shape) <= DIMENSIONS:
        return np.asarray(weights.toarray(), dtype=np.float64)
    reduce = need("sklearn.decomposition", extra="train").TruncatedSVD(DIMENSIONS, random_state=seed)
    return np.asarray(reduce.fit_transform(weights), dtype=np.float64)


def _starts(vectors: Floats, count: int, random: np.random.Generator) -> Floats:
    """[at most count, dimensions] vectors far from one another: each is drawn by its squared distance to the others."""
    chosen = [int(random.integers(len(vectors)))]
    distance = _squared(vectors, vectors[chosen])[:, 0]
    while len(chosen) < count and distance.max() > 0:
        chosen.append(int(random.choice(len(vectors), p=distance / distance.sum())))
        distance = np.minimum(distance, _squared(vectors, vectors[chosen[-1:]])[:, 0])
        distance[chosen] = 0
    return vectors[chosen]


def _nearest(vectors: Floats, centers: Floats) -> Indices:
    return _squared(vectors, centers).argmin(axis=1)


def _squared(vectors: Floats, centers: Floats) -> Floats:
    """[units, centers] squared distances."""
    products = vectors @ centers.T
    distances = (vectors**2).sum(axis=1)[:, None] - 2 * products + (centers**2).sum(axis=1)
    return np.maximum(distances, 0)
