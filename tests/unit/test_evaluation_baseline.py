"""The TF-IDF baseline: the features of scikit-learn without it, and files that come back as they were."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi_coder.errors import MiCoderError
from mi_coder.evaluation.baseline import ARRAYS_FILE, WORDS_FILE, Baseline, character_grams, word_grams

CODES = ("OQ", "SU", "WA")
TEXTS = [
    "How come, how?",
    "that sounds so hard",
    "a \u00c4rger  day_1 it's",
    "",
    "zzz",
    "What\n then??",
    "I\u0307stanbul \x1f i",
]


@pytest.fixture
def baseline() -> Baseline:
    random = np.random.default_rng(4)
    words = tuple(sorted({gram for text in TEXTS[:3] for gram in word_grams(text)}))
    characters = tuple(sorted({gram for text in TEXTS[:3] for gram in character_grams(text)}))
    features = len(words) + len(characters)
    return Baseline(
        codes=CODES,
        trained=np.array([True, True, False]),
        thresholds=np.array([0.5, 0.4, 0.5]),
        words=words,
        characters=characters,
        idf=random.uniform(1, 8, features).astype(np.float32),
        coefficients=random.normal(size=(len(CODES), features)).astype(np.float16),
        intercepts=np.array([-0.5, 0.25, 0], dtype=np.float32),
    )


def test_words_and_their_pairs() -> None:
    assert list(word_grams("So, how?")) == ["so", "how", "?", "so how", "how ?"]


def test_characters_stay_within_a_word_and_its_spaces() -> None:
    assert list(character_grams("a OK")) == [" a", "a ", " a ", " o", "ok", "k ", " ok", "ok ", " ok "]


@given(st.text())
def test_the_n_grams_are_those_of_scikit_learn(text: str) -> None:
    vectorizers = pytest.importorskip("sklearn.feature_extraction.text")
    words = vectorizers.TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b|\?")
    characters = vectorizers.TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
    assert list(word_grams(text)) == words.build_analyzer()(text)
    assert list(character_grams(text)) == characters.build_analyzer()(text)


def test_the_weights_are_those_of_scikit_learn(baseline: Baseline) -> None:
    vectorizers = pytest.importorskip("sklearn.feature_extraction.text")
    z = np.tile(baseline.intercepts.astype(float), (len(TEXTS), 1))
    split = len(baseline.words)
    for grams, vocabulary, at in (
        (word_grams, baseline.words, slice(None, split)),
        (character_grams, baseline.characters, slice(split, None)),
    ):
        vectorizer = vectorizers.TfidfVectorizer(analyzer=grams, sublinear_tf=True, vocabulary=vocabulary)
        vectorizer.idf_ = baseline.idf[at].astype(float)
        z += vectorizer.transform(TEXTS) @ baseline.coefficients[:, at].T.astype(float)
    expected = 1 / (1 + np.exp(-z[:, :2]))
    np.testing.assert_allclose(baseline.probabilities(TEXTS)[:, :2], expected, rtol=1e-12)
    assert np.isnan(baseline.probabilities(TEXTS)[:, 2]).all()
    assert expected.std(axis=0).min() > 0.01


def test_a_code_is_given_from_its_threshold_and_an_untrained_one_never(baseline: Baseline) -> None:
    probability = baseline.probabilities(TEXTS)
    given_codes = baseline.predict(TEXTS)
    for row, (p, q, _) in zip(given_codes, probability, strict=True):
        reached = [p >= 0.5, q >= 0.4]
        assert row.tolist() == [*(reached if any(reached) else [p >= q, p < q]), False]


def test_saved_and_loaded_it_predicts_the_same(baseline: Baseline, tmp_path: Path) -> None:
    baseline.save(tmp_path)
    loaded = Baseline.load(tmp_path)
    np.testing.assert_array_equal(loaded.probabilities(TEXTS), baseline.probabilities(TEXTS))
    np.testing.assert_array_equal(loaded.predict(TEXTS), baseline.predict(TEXTS))
    assert loaded.codes == CODES


@pytest.mark.parametrize("kept", [0, 20, 200])
def test_arrays_that_break_off_are_named(baseline: Baseline, tmp_path: Path, kept: int) -> None:
    baseline.save(tmp_path)
    (tmp_path / ARRAYS_FILE).write_bytes((tmp_path / ARRAYS_FILE).read_bytes()[:kept])
    with pytest.raises(MiCoderError, match=r"malformed: .*Copy the whole folder again"):
        Baseline.load(tmp_path)


def test_arrays_with_a_changed_byte_are_named(baseline: Baseline, tmp_path: Path) -> None:
    baseline.save(tmp_path)
    content = (tmp_path / ARRAYS_FILE).read_bytes()
    for place in range(60, 400, 4):
        (tmp_path / ARRAYS_FILE).write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        with suppress(MiCoderError):
            Baseline.load(tmp_path)


def test_words_of_another_baseline_are_named(baseline: Baseline, tmp_path: Path) -> None:
    baseline.save(tmp_path)
    meta = json.loads((tmp_path / WORDS_FILE).read_text())
    (tmp_path / WORDS_FILE).write_text(json.dumps(meta | {"words": [*meta["words"], "more"]}))
    with pytest.raises(MiCoderError, match="its two files do not fit"):
        Baseline.load(tmp_path)


def test_a_missing_or_broken_baseline_is_named(baseline: Baseline, tmp_path: Path) -> None:
    with pytest.raises(MiCoderError, match=WORDS_FILE):
        Baseline.load(tmp_path)
    baseline.save(tmp_path)
    meta = json.loads((tmp_path / WORDS_FILE).read_text())
    (tmp_path / WORDS_FILE).write_text(json.dumps(meta | {"thresholds": [2, 2, 2]}))
    with pytest.raises(MiCoderError, match="malformed"):
        Baseline.load(tmp_path)
    baseline.save(tmp_path)
    (tmp_path / ARRAYS_FILE).unlink()
    with pytest.raises(MiCoderError, match=ARRAYS_FILE):
        Baseline.load(tmp_path)
