"""Learning which sentences of the client ask for advice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from mi_coder.arrays import Floats
from mi_coder.conversation import Message
from mi_coder.tagger.asking import Asking
from mi_coder.tagger.config import TOKENIZER_FILE, Window
from mi_coder.tagger.window import BUCKETS, Said, Tokens, WindowBuilder
from mi_coder.training import asking as fitting
from mi_coder.training.asking import _Fit, fit_asking
from mi_coder.training.known import Known

ASKS, TALKS, BOTH, NEVER = 7, 8, 100, 500


def sentence(back: int, *grams: int) -> Said:
    return Said(back, np.array(grams, dtype=np.intp))


def window(*said: Said) -> Tokens:
    return Tokens([1, 2, 3], 2, False, (), said)


SMALL_TALK = sentence(1, TALKS, BOTH)
ASKED = window(SMALL_TALK, sentence(2, ASKS, BOTH))
NOT_ASKED = window(SMALL_TALK, sentence(2, TALKS, BOTH))
SILENT = window()


def known(times: int) -> Known:
    """With permission where one of two sentences asks, without where neither does."""
    return Known([ASKED, NOT_ASKED] * times, np.array([1.0, 0.0] * times))


def told(known: Known, seed: int = 1) -> Floats:
    """An encoder that knows a little of permission."""
    return np.random.default_rng(seed).normal(known.truth - 0.5, 1.0)


def with_silent(known: Known, truth: float) -> Known:
    """The same with fifty messages before which the client said nothing."""
    tokens = [*[SILENT] * 25, *known.tokens, *[SILENT] * 25]
    return Known(tokens, np.concatenate([np.full(25, truth), known.truth, np.full(25, truth)]))


def odds(asking: Asking, *grams: int, back: int = 2) -> float:
    return asking.odds([SMALL_TALK, sentence(back, *grams)])


DEV = known(25)
TOLD = told(DEV)


def told_by(one: Asking | None) -> list[float]:
    """What an `asking.json` comes down to."""
    assert one is not None
    return [odds(one, ASKS, BOTH), odds(one, TALKS, BOTH), *one.table[[ASKS, TALKS, BOTH]], one.share, one.center]


def same(one: Asking | None, other: Asking) -> bool:
    """Whether two tell the same but for the last digits."""
    return told_by(one) == pytest.approx(told_by(other), rel=1e-3, abs=1e-3)


@pytest.fixture(scope="module", autouse=True)
def few_steps() -> Iterator[None]:
    """Enough for these few examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "_STEPS", 50)
        yield


@pytest.fixture(scope="module")
def fitted(few_steps: None) -> Asking:
    found = fit_asking(known(30), DEV, TOLD)
    assert found is not None
    return found


@pytest.fixture
def earlier() -> Asking:
    """One whose weights say the opposite of what the examples say, and something of a bucket that they do not have."""
    weights = np.zeros(BUCKETS)
    weights[[ASKS, NEVER]] = -1.0, 2.0
    return Asking.rounded(weights, bias=-1.0, fading=0.5, leak=-3.0)


def test_the_sentence_that_asks_is_told_from_small_talk(fitted: Asking) -> None:
    assert odds(fitted, ASKS, BOTH) > 2
    assert odds(fitted, TALKS, BOTH) < -2
    assert fitted.table[ASKS] > fitted.scale > -fitted.scale > fitted.table[TALKS]
    assert fitted.table[NEVER] == 0


def test_what_it_tells_is_added_around_its_mean(fitted: Asking) -> None:
    assert fitted.share > 0
    assert fitted.center == pytest.approx(np.mean([fitted.odds(one.said) for one in DEV.tokens]))


def test_it_tells_what_the_encoder_cannot(fitted: Asking) -> None:
    logits = TOLD.astype(np.float32)[:, None]
    assert ((logits[:, 0] > 0) == DEV.truth).mean() < 0.9
    assert ((fitted.join(logits, DEV.tokens)[:, 0] > 0) == DEV.truth).all()


def test_the_larger_the_logits_of_the_encoder_the_more_is_added(fitted: Asking) -> None:
    found = fit_asking(known(30), DEV, 40 * TOLD)
    assert found is not None
    assert found.share > 5 * fitted.share
    np.testing.assert_allclose(found.table, fitted.table, atol=1e-6)


def test_the_order_of_the_examples_does_not_matter(fitted: Asking) -> None:
    train = Known(known(30).tokens[::-1], known(30).truth[::-1])
    assert same(fit_asking(train, Known(DEV.tokens[::-1], DEV.truth[::-1]), TOLD[::-1]), fitted)


def test_real_sentences(tiny: Path) -> None:
    build = WindowBuilder.from_file(tiny / TOKENIZER_FILE, Window(context=2, asking=4))
    talk = ["we went to the lake.", "my sister called.", "it was late. so i slept."]

    def tokens(*texts: str) -> Tokens:
        return build.build("maybe take a walk?", [Message("client", text) for text in texts])

    asked = [tokens(f"{one} what should i try?", talk[at - 1], "hm") for at, one in enumerate(talk)]
    not_asked = [tokens(one, talk[at - 1], "hm") for at, one in enumerate(talk)]
    some = Known([*asked, *not_asked] * 10, np.array(([1.0] * 3 + [0.0] * 3) * 10))
    found = fit_asking(some, some, told(some))
    assert found is not None
    alone = [found.odds(tokens(text).said) for text in ("what should i try?", *talk)]
    assert alone[0] > 1
    assert max(alone[1:]) < -1


def test_further_back_counts_less_where_the_examples_say_so() -> None:
    near, far = (window(sentence(1, TALKS), sentence(back, ASKS, BOTH)) for back in (2, 12))
    some = Known([near, far, NOT_ASKED, NOT_ASKED] * 30, np.array([1.0, 0.0, 0.0, 0.0] * 30))
    found = fit_asking(some, some, told(some))
    assert found is not None
    assert found.fading > 0
    assert found.odds(near.said) > 0 > found.odds(far.said)


@pytest.mark.parametrize(("train", "dev"), [(19, 30), (30, 19), (0, 30), (30, 0)])
def test_where_too_little_is_known_all_stays(train: int, dev: int, earlier: Asking) -> None:
    some = known(dev)
    assert fit_asking(known(train), some, told(some)) is None
    assert fit_asking(known(train), some, told(some), earlier) is earlier


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_of_either_value_enough_must_be_known(value: float, earlier: Asking) -> None:
    one_sided = Known(DEV.tokens, np.where(np.arange(50) < 19, 1 - value, value))
    assert fit_asking(one_sided, DEV, TOLD, earlier) is earlier
    assert fit_asking(known(30), one_sided, TOLD, earlier) is earlier


def test_twenty_of_either_value_are_enough() -> None:
    some = known(20)
    assert fit_asking(some, some, told(some)) is not None


@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_messages_before_which_the_client_said_nothing_do_not_count(fitted: Asking, truth: float) -> None:
    dev_told = np.concatenate([np.full(25, np.nan), TOLD, np.full(25, np.nan)])
    assert same(fit_asking(with_silent(known(30), truth), with_silent(DEV, truth), dev_told), fitted)


def test_they_do_not_help_to_have_enough(earlier: Asking) -> None:
    silent = Known([SILENT] * 60, np.array([1.0, 0.0] * 30))
    few = Known([*known(10).tokens, *silent.tokens], np.concatenate([known(10).truth, silent.truth]))
    for train, dev in ((few, DEV), (known(30), few), (silent, DEV), (known(30), silent)):
        assert fit_asking(train, dev, told(dev), earlier) is earlier


def test_new_examples_move_only_what_they_speak_of(earlier: Asking) -> None:
    found = fit_asking(known(30), DEV, TOLD, earlier)
    assert found is not None
    assert found.table[NEVER] == pytest.approx(2.0, abs=found.scale / 2 + earlier.scale)
    assert found.table[ASKS] > 0 > earlier.table[ASKS]
    unheard = np.setdiff1d(np.arange(BUCKETS), [ASKS, TALKS, BOTH, NEVER])
    assert not found.table[unheard].any()
    assert odds(found, ASKS, BOTH) > 0 > odds(found, TALKS, BOTH)


def test_a_second_fit_of_the_same_examples_adds_to_the_first(fitted: Asking) -> None:
    again = fit_asking(known(30), DEV, TOLD, fitted)
    assert again is not None
    assert 1.1 * fitted.table[ASKS] < again.table[ASKS] < 1.5 * fitted.table[ASKS]
    assert odds(again, ASKS, BOTH) > odds(fitted, ASKS, BOTH)


def test_sentences_that_tell_the_wrong_way_on_dev_are_not_taken(earlier: Asking) -> None:
    wrong = replace(DEV, truth=1 - DEV.truth)
    assert fit_asking(known(30), wrong, told(wrong)) is None
    assert fit_asking(known(30), wrong, told(wrong), earlier) is earlier


def test_beside_an_encoder_that_tells_the_wrong_way_they_are_not_taken(earlier: Asking) -> None:
    assert fit_asking(known(30), DEV, -3 * TOLD, earlier) is earlier


@pytest.mark.parametrize("seed", range(4))
def test_sentences_that_tell_nothing_on_dev_add_nothing(seed: int) -> None:
    same = Known([NOT_ASKED] * 50, DEV.truth)
    found = fit_asking(known(30), same, told(same, seed))
    assert found is None


def by_hand(fit: Known, at: Floats, drawn_to: Floats) -> float:
    """The loss, sentence for sentence."""
    bias, leak, fading = at[BUCKETS:]
    loss = 0.05 * float(((at - drawn_to) ** 2).sum())
    for tokens, truth in zip(fit.tokens, fit.truth, strict=True):
        silent = 1 - expit(leak)
        for one in tokens.said:
            told = at[one.grams].sum() / np.sqrt(len(one.grams))
            silent *= 1 - expit(told + bias - np.log1p(np.exp(fading)) * (one.back - 1))
        loss -= np.log(1 - silent) if truth else np.log(silent)
    return loss


class TestLoss:
    USED = (ASKS, TALKS, BOTH, NEVER, BUCKETS, BUCKETS + 1, BUCKETS + 2)
    SOME = Known(
        [ASKED, NOT_ASKED, window(sentence(5, ASKS), sentence(9, TALKS, NEVER - 1))], np.array([1.0, 0.0, 1.0])
    )
    DRAWN_TO = np.concatenate([np.zeros(BUCKETS), [-2.0, -1.5, 0.3]])

    def at(self, seed: int) -> Floats:
        point = np.zeros(BUCKETS + 3)
        point[[*self.USED]] = np.random.default_rng(seed).normal(0, 1, len(self.USED))
        return point

    def loss(self, at: Floats) -> tuple[float, Floats]:
        fit = _Fit.of(self.SOME)
        drawn_to = self.DRAWN_TO.copy()
        drawn_to[[ASKS, NEVER]] = 0.7, -0.4
        return fit._loss(at, drawn_to, fit.grams.T.tocsr())

    @pytest.mark.parametrize("seed", range(3))
    def test_it_is_that_of_the_noisy_or(self, seed: int) -> None:
        drawn_to = self.DRAWN_TO.copy()
        drawn_to[[ASKS, NEVER]] = 0.7, -0.4
        assert self.loss(self.at(seed))[0] == pytest.approx(by_hand(self.SOME, self.at(seed), drawn_to))

    @pytest.mark.parametrize("seed", range(3))
    def test_its_slope_is_that_of_finite_differences(self, seed: int) -> None:
        at = self.at(seed)
        slope = self.loss(at)[1]
        dice = np.random.default_rng(seed + 10)
        directions = [*np.eye(len(self.USED)), *dice.normal(0, 1, (4, len(self.USED)))]
        for direction in directions:
            step = np.zeros_like(at)
            step[[*self.USED]] = 1e-5 * direction
            rise = (self.loss(at + step)[0] - self.loss(at - step)[0]) / 2
            assert slope @ step == pytest.approx(rise, rel=1e-5, abs=1e-12)

    def test_buckets_of_no_sentence_have_no_slope_but_that_of_the_penalty(self) -> None:
        slope = self.loss(self.at(0))[1]
        assert slope[NEVER] == pytest.approx(0.1 * (self.at(0)[NEVER] + 0.4))
        assert not np.delete(slope, [*self.USED, NEVER - 1]).any()

    @pytest.mark.parametrize("places", [[ASKS], [BUCKETS], [BUCKETS + 1], [BUCKETS + 2], [BUCKETS, BUCKETS + 1]])
    @pytest.mark.parametrize("value", [-1000.0, 1000.0])
    def test_it_is_finite_everywhere(self, places: list[int], value: float) -> None:
        at = self.at(0)
        at[places] = value
        loss, slope = self.loss(at)
        assert np.isfinite(loss)
        assert np.isfinite(slope).all()


def test_a_sentence_weighs_the_same_however_many_grams_it_has() -> None:
    fit = _Fit.of(Known([ASKED, window(sentence(3, 1, 2, 3, 4, 5))], np.array([1.0, 0.0])))
    assert fit.advice.tolist() == [0, 0, 1]
    assert fit.back.tolist() == [0, 1, 2]
    assert np.sqrt(fit.grams.multiply(fit.grams).sum(axis=1)).ravel().tolist() == [pytest.approx([1, 1, 1])]
    rows = [row.nonzero()[0].tolist() for row in fit.grams.toarray()]
    assert rows == [[TALKS, BOTH], [ASKS, BOTH], [1, 2, 3, 4, 5]]
