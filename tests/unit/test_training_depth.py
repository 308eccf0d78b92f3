"""Depth from how much of a message the client said before."""

import math

import numpy as np
import pytest
import torch

from mi_coder.tagger.window import Tokens
from mi_coder.training.depth import fit_depth, rarity
from mi_coder.training.fit import logits
from mi_coder.training.known import Known
from tests.blank_coder import VOCABULARY, blank_coder

START, END = 1, 2
REPEATED, ADDED, OTHER = 7, 8, 9


def window(*said: int, client: tuple[int, ...] = (REPEATED, OTHER)) -> Tokens:
    ids = [START, *said, END]
    return Tokens([*ids, *client], len(ids), False, tuple(sorted(set(client))))


def reflections(times: int) -> Known:
    """Simple where it repeats, complex where it adds."""
    return Known([window(REPEATED), window(ADDED)] * times, np.array([0.0, 1.0] * times))


def test_word_pieces_are_rare_by_the_windows_that_have_them_and_ends_do_not_count() -> None:
    windows = [window(REPEATED), window(ADDED), window(ADDED, ADDED)]
    rare = rarity(windows, VOCABULARY)
    assert rare[[REPEATED, ADDED, OTHER]].tolist() == pytest.approx([0, 0, 0])
    assert rare[5] == pytest.approx(math.log(3))
    assert rare[[START, END]].tolist() == [0, 0]
    once = rarity([window(ADDED, client=()), *[window(3, client=())] * 9], VOCABULARY)
    assert once[ADDED] == pytest.approx(math.log(10 / 2))


def test_the_echo_is_the_share_of_rare_words_that_the_client_said() -> None:
    model = blank_coder()
    model.rarity[[REPEATED, ADDED]] = torch.tensor([1.0, 3.0])
    message = torch.tensor([[START, REPEATED, ADDED, END], [START, REPEATED, END, 0], [START, END, 0, 0]])
    client = torch.tensor([[REPEATED, OTHER], [ADDED, 0], [0, 0]])
    expected = [
        [math.log(5), 1 / 4, math.log(3)],
        [math.log(4), 0.0, math.log(2)],
        [math.log(3), 0.0, 0.0],
    ]
    np.testing.assert_allclose(model.echo(message, client).numpy(), expected, rtol=1e-6)


def test_a_message_that_repeats_becomes_simple_and_one_that_adds_complex() -> None:
    model = blank_coder()
    known = reflections(30)
    before = logits(model, known.tokens[:2])
    rare = [*known.tokens, *[window(3, client=(4,))] * 200]
    assert fit_depth(model, rare, known)
    told = logits(model, [window(REPEATED), window(ADDED)])
    assert told[1, -2] > 0 > told[0, -2]
    np.testing.assert_allclose(told[:, [0, -1]], before[:, [0, -1]], err_msg="other heads are left alone")


def test_the_logit_is_what_the_regression_gives() -> None:
    """On its own dev part a logistic regression with a constant is right on average."""
    model = blank_coder()
    known = Known([window(REPEATED), window(ADDED)] * 40, np.array([0.0, 1.0] * 30 + [1.0, 1.0] * 10))
    assert fit_depth(model, [*known.tokens, *[window(3, client=(4,))] * 200], known)
    probability = 1 / (1 + np.exp(-logits(model, known.tokens)[:, -2]))
    assert probability.mean() == pytest.approx(known.truth.mean(), abs=1e-3)


def test_too_few_reflections_leave_the_model_as_it_is() -> None:
    model = blank_coder()
    weight = model.output.weight.detach().clone()
    assert not fit_depth(model, reflections(30).tokens, reflections(19))
    assert not model.depth.any()
    assert torch.equal(model.output.weight, weight)


def test_where_the_client_said_nothing_the_encoder_tells_depth_alone() -> None:
    model = blank_coder()
    known = reflections(30)
    assert fit_depth(model, [*known.tokens, *[window(3, client=(4,))] * 200], known)
    silent = [window(REPEATED, client=()), window(ADDED, client=())]
    told = logits(model, silent)[:, -2]
    model.depth.zero_()
    np.testing.assert_allclose(told, logits(model, silent)[:, -2])


def test_a_second_fit_adds_to_the_first_and_is_right_on_average() -> None:
    model = blank_coder()
    first, second = (
        reflections(30),
        Known([window(REPEATED), window(ADDED)] * 30, np.array([0.0, 1.0] * 25 + [1.0, 0.0] * 5)),
    )
    rare = [*first.tokens, *[window(3, client=(4,))] * 200]
    assert fit_depth(model, rare, first)
    rarities = model.rarity.clone()
    assert fit_depth(model, first.tokens[:2], second)
    assert torch.equal(model.rarity, rarities)
    probability = 1 / (1 + np.exp(-logits(model, second.tokens)[:, -2]))
    assert probability.mean() == pytest.approx(0.5, abs=1e-3)
    assert not fit_depth(blank_coder(), rare, reflections(19))
    assert fit_depth(model, rare, reflections(19))


def test_reflections_to_which_no_client_has_said_anything_teach_nothing() -> None:
    model = blank_coder()
    silent = Known([window(REPEATED, client=()), window(ADDED, client=())] * 30, np.array([0.0, 1.0] * 30))
    assert not fit_depth(model, silent.tokens, silent)
    assert not np.isnan(logits(model, [window(REPEATED)])).any()
