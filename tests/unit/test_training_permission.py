"""Permission from what the client said before."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mi_coder.tagger.window import Tokens
from mi_coder.training.fit import logits
from mi_coder.training.known import Known
from mi_coder.training.permission import bags, fit_permission
from tests.blank_coder import VOCABULARY, blank_coder

ADVICE, HELLO, NEVER = 7, 8, 9


def window(*client: int) -> Tokens:
    return Tokens([1, 2, 3], 2, False, client)


def asked(times: int) -> Known:
    """With permission after the word for advice, without after another."""
    return Known([window(ADVICE), window(HELLO)] * times, np.array([1.0, 0.0] * times))


def test_bags_are_of_length_one_and_empty_where_the_client_said_nothing() -> None:
    rows = bags([window(7, 8, 9, 11), window()], VOCABULARY).toarray()
    assert rows[0].nonzero()[0].tolist() == [7, 8, 9, 11]
    assert np.linalg.norm(rows, axis=1).tolist() == pytest.approx([1.0, 0.0])


def test_the_words_decide_what_the_encoder_cannot_tell() -> None:
    model = blank_coder()
    before = logits(model, asked(1).tokens)
    assert fit_permission(model, asked(30), asked(25))
    told = logits(model, [window(ADVICE), window(HELLO), window(NEVER), window()])
    assert told[0, -1] > 0 > told[1, -1]
    assert told[2, -1] == pytest.approx(told[3, -1])
    np.testing.assert_allclose(told[:2, :-1], before[:, :-1], err_msg="other heads are left alone")


def test_weights_are_shared_by_the_root_of_the_number_of_word_pieces() -> None:
    model = blank_coder()
    model.words[[ADVICE, HELLO]] = torch.tensor([3.0, 1.0])
    padded = torch.tensor([[ADVICE, HELLO, 0], [ADVICE, 0, 0], [0, 0, 0]])
    assert model.said(padded).squeeze(1).tolist() == pytest.approx([4 / np.sqrt(2), 3.0, 0.0])


@pytest.mark.parametrize(("train", "dev"), [(19, 30), (30, 19)])
def test_too_few_examples_leave_the_model_as_it_is(train: int, dev: int) -> None:
    model = blank_coder()
    weight = model.output.weight.detach().clone()
    assert not fit_permission(model, asked(train), asked(dev))
    assert not model.words.any()
    assert torch.equal(model.output.weight, weight)


def test_messages_whose_permission_is_unknown_are_left_out() -> None:
    some = Known.among([window(7), window(8), window(9)], np.array([1.0, np.nan, 0.0]))
    assert [one.client for one in some.tokens] == [(7,), (9,)]
    assert some.truth.tolist() == [1.0, 0.0]
    assert not replace(some, truth=np.ones(2)).enough


def test_a_second_fit_adds_to_the_first() -> None:
    """What was known before counts as the encoder does; with too few new examples it stays."""
    model = blank_coder()
    assert fit_permission(model, asked(30), asked(25))
    first = model.words.clone()
    assert fit_permission(model, asked(19), asked(25))
    assert torch.equal(model.words, first)
    seen = logits(model, asked(25).tokens)[:, -1]
    assert fit_permission(model, asked(30), asked(25))
    assert not torch.equal(model.words, first)
    again = logits(model, asked(25).tokens)[:, -1]
    assert ((seen > 0) == (again > 0)).all()
    assert ((again > 0) == (asked(25).truth == 1)).all()
