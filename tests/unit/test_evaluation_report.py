"""Whole reports, on invented chats."""

import json

import numpy as np
import pytest

from mi_coder.arrays import Bools
from mi_coder.conversation import Coding, Conversation, Gold, Message
from mi_coder.evaluation.compare import compare
from mi_coder.evaluation.evaluate import evaluate
from mi_coder.evaluation.render import number
from mi_coder.evaluation.report import EvaluationReport, Options, Source

CODES = ("OQ", "CQ", "REF", "PR", "SU")
SOURCE = Source("gold.jsonl", "a" * 64, "toy 1", "b" * 64, "sha256:00")


@pytest.mark.parametrize(
    ("value", "sign", "shown"), [(-0.0001, "", "0.000"), (-0.0001, "+", "+0.000"), (-0.1, "", "-0.100")]
)
def test_nothing_is_below_zero_by_rounding(value: float, sign: str, shown: str) -> None:
    assert number(value, sign) == shown


def full(*codes: str, depth: str | None = None) -> Gold:
    return Gold(frozenset(codes), frozenset(CODES) - set(codes), depth=depth)


def given(*codes: str, depth: str | None = None) -> Coding:
    return Coding(codes, {code: 0.9 if code in codes else 0.1 for code in CODES}, depth=depth)


def chat(name: str, *pairs: tuple[Gold, Coding]) -> Conversation:
    return Conversation(name, [Message("counselor", f"{name}{i}", gold=g, coding=c) for i, (g, c) in enumerate(pairs)])


QUESTION = Gold(negative=frozenset({"REF"}), any_of=(frozenset({"OQ", "CQ"}),))
CHATS = [
    chat("a", (full("OQ"), given("OQ")), (full("REF", depth="simple"), given("REF", depth="complex"))),
    chat("b", (full("OQ", "SU"), given("SU")), (QUESTION, given("CQ"))),
]


def report(
    chats: list[Conversation], baseline: Bools | None = None, samples: int = 200, **about: object
) -> EvaluationReport:
    return evaluate(compare(chats, chats, CODES), SOURCE, Options(1, samples), baseline, **about)  # type: ignore[arg-type]


def test_markdown_page() -> None:
    page = report(CHATS, np.ones((4, 5), dtype=bool), untrained=["PR"], notes=["A remark."]).to_markdown()
    assert page == GOLDEN


GOLDEN = """\
# toy 1 on gold.jsonl

4 messages of 2 conversations; 3 messages have complete gold. Brackets are 95% intervals over conversations.

| code | support | precision | recall | F1                   | TF-IDF F1 | calibration error | human coders (alpha) |
| ---- | ------- | --------- | ------ | -------------------- | --------- | ----------------- | -------------------- |
| OQ   | 2       | 1.000     | 0.500  | 0.667 [0.667, 1.000] | 0.800     | 0.300             | 0.950                |
| REF  | 1       | 1.000     | 1.000  | 1.000 [1.000, 1.000] | 0.400     | 0.100             | 0.585                |
| SU   | 1       | 1.000     | 1.000  | 1.000 [1.000, 1.000] | 0.500     | 0.100             | 0.842                |

| figure              | coder                | TF-IDF               | difference              |
| ------------------- | -------------------- | -------------------- | ----------------------- |
| macro-F1 of 3 codes | 0.889 [0.889, 1.000] | 0.567 [0.567, 0.667] | +0.322 [+0.322, +0.333] |
| exact match         | 0.667 [0.000, 1.000] | 0.000 [0.000, 0.000] | +0.667 [+0.000, +1.000] |

- One of OQ, CQ: given in 1.000 of the 1 messages where one of them applies (TF-IDF: 1.000).
- Depth: accuracy 0.000 [0.000, 0.000] on the 1 messages where the code is right (majority-class baseline: 1.000).
- Expected calibration error (ECE) 0.167 [0.050, 0.317], mean over codes; Brier score 0.099 (always \
predicting the base rate: 0.211).

**Confidence**

| most confident messages | exact-match error    |
| ----------------------- | -------------------- |
| 50%                     | 0.333 [0.000, 1.000] |
| 60%                     | 0.333 [0.000, 1.000] |
| 70%                     | 0.333 [0.000, 1.000] |
| 80%                     | 0.333 [0.000, 1.000] |
| 90%                     | 0.333 [0.000, 1.000] |
| 100%                    | 0.333 [0.000, 1.000] |

- Keeping only the most confident 80% of 3 messages removes 0.000 [0.000, 0.000] of the exact-match error; area under \
the risk-coverage curve (AURC) 0.333 [0.000, 1.000].

- A remark.
- The coder was not trained to give PR; where gold has them, they count as missed.
- No gold message is known to carry CQ, PR: how well they are found is unknown.
- Only 2 conversations: the intervals are narrower than they should be, or missing.

Human coders: Krippendorff's alpha of three annotators in Shah et al. 2022, on other chats; another scale than F1.
Macro-F1: mean over codes with at least 1 positives.
Gold aaaaaaaaaaaaaaaa, coder bbbbbbbbbbbbbbbb, codebook sha256:00; 200 bootstrap samples, seed 0.
"""


def test_page_for_the_terminal_holds_the_same_cells() -> None:
    one = report(CHATS)
    cells = [line.strip("|").split("|") for line in one.to_markdown().splitlines() if line.startswith("|")]
    words = [cell.strip() for row in cells for cell in row if "--" not in cell]
    assert "TF-IDF" not in one.to_text()
    assert words and all(word in one.to_text() for word in words)
    assert "|" not in one.to_text()


def test_json_has_null_where_a_figure_is_undefined() -> None:
    rows = {row["score"]["code"]: row for row in json.loads(report(CHATS).to_json())["rows"]}
    assert rows["PR"]["score"]["f1"] is None
    assert rows["PR"]["baseline_f1"] is None
    assert rows["OQ"]["score"]["recall"] == 0.5
    assert rows["OQ"]["human_alpha"] == 0.95


def test_summary_is_one_sentence_with_the_baseline() -> None:
    summary = report(CHATS, np.ones((4, 5), dtype=bool)).summary()
    assert summary.startswith("toy 1 on gold.jsonl: macro-F1 0.889 [")
    assert "(baseline 0.567 [" in summary
    assert "over 3 codes with at least 1 positives in 4 messages of 2 conversations." in summary


def test_a_coder_does_not_differ_from_itself() -> None:
    both = compare(CHATS, CHATS, CODES)
    one = evaluate(both, SOURCE, Options(1, 100), baseline=both.predicted)
    for versus in (one.macro, one.exact):
        assert versus.baseline == versus.coder
        assert versus.difference is not None
        assert (versus.difference.value, versus.difference.low, versus.difference.high) == (0, 0, 0)


def test_the_difference_is_paired() -> None:
    # Half of the chats are easy, half hard, for both coders; the coder gets one message of four more right in each.
    right, wrong = (full("SU"), given("SU")), (full("SU"), given("OQ"))
    chats = [chat(f"{i:02}", *([right] * 4 if i % 2 else [right, wrong, wrong, wrong])) for i in range(40)]
    both = compare(chats, chats, CODES)
    baseline = both.predicted.copy()
    baseline[::4] = False
    exact = evaluate(both, SOURCE, Options(1, 500), baseline=baseline).exact
    assert exact.difference is not None
    assert (exact.difference.low, exact.difference.high) == (pytest.approx(0.25), pytest.approx(0.25))
    assert exact.coder.high - exact.coder.low > 0.15


def test_rare_codes_do_not_count() -> None:
    one = evaluate(compare(CHATS, CHATS, CODES), SOURCE, Options(min_support=2, samples=10))
    assert [row.score.code for row in one.rows if row.counted] == ["OQ"]
    assert one.macro.coder.value == pytest.approx(2 / 3)
    assert any("not in the macro-F1: REF, SU" in note for note in one.notes)


def test_codes_that_cannot_be_given_are_named_and_count_as_missed() -> None:
    chats = [chat("a", (full("PR"), given()), (full("OQ"), given("OQ"))), CHATS[1]]
    one = report(chats, untrained=["PR"])
    assert one.notes[0] == "The coder was not trained to give PR; where gold has them, they count as missed."
    assert next(row for row in one.rows if row.score.code == "PR").score.f1 == 0
    assert one.macro.coder.value == pytest.approx((0 + 2 / 3 + 1) / 3)


def test_false_alarms_of_codes_without_positives_are_told() -> None:
    one = report([*CHATS, chat("c", (full("OQ"), given("OQ", "PR")), (full("SU"), given("PR")))])
    assert "No gold message is known to carry CQ, PR (given 2 times): how well they are found is unknown." in one.notes
    assert [row.score.code for row in one.rows if row.counted] == ["OQ", "REF", "SU"]


def test_no_probabilities_no_calibration() -> None:
    bare = chat("a", (full("OQ"), Coding(("OQ",), {"OQ": 0.9})), (full("SU"), Coding(("SU",), {"SU": 0.9})))
    assert report([bare]).calibration is None


def test_the_calibration_of_conversations_that_are_alike_has_no_spread() -> None:
    # 45 messages, three a bin: 15 have OQ and 30 SU, so that no bin holds both.
    alike = [chat(f"{i:02}", (full("OQ"), given("OQ")), *[(full("SU"), given("SU"))] * 2) for i in range(15)]
    calibration = report(alike).calibration
    assert calibration is not None
    assert [calibration.error, calibration.low, calibration.high] == pytest.approx([0.1] * 3)
    assert [row.calibration for row in report(alike).rows] == pytest.approx([0.1] * 5)


def test_the_interval_of_calibration_holds_the_error_and_shrinks_with_more_conversations() -> None:
    random = np.random.default_rng(2)

    def ends(conversations: int) -> tuple[float, float, float]:
        said = [(full("OQ"), given("OQ" if random.random() < 0.7 else "SU")) for _ in range(conversations * 4)]
        said += [(full("SU"), given("SU" if random.random() < 0.7 else "OQ")) for _ in range(conversations * 4)]
        chats = [chat(f"{i:03}", *said[i::conversations]) for i in range(conversations)]
        calibration = report(chats).calibration
        assert calibration is not None
        return calibration.low, calibration.error, calibration.high

    (low, error, high), (less, value, more) = ends(8), ends(128)
    assert low < error < high and less < value < more
    assert more - less < (high - low) / 2


def test_calibration_beside_the_base_rate() -> None:
    calibration = report(CHATS[:1]).calibration
    assert calibration is not None
    # OQ and REF count, each 1 of 2: probabilities 0.9 and 0.1 on the right sides.
    assert calibration.error == pytest.approx(0.1)
    assert calibration.brier == pytest.approx(0.01)
    assert calibration.brier_of_base_rate == pytest.approx(0.25)


@pytest.mark.parametrize(("conversations", "warned"), [(19, True), (20, False)])
def test_fewer_than_20_conversations_are_warned_of(conversations: int, warned: bool) -> None:
    one = report([chat(f"{i:02}", (full("OQ"), given("OQ"))) for i in range(conversations)], samples=10)
    assert any(note.startswith(f"Only {conversations} conversations") for note in one.notes) is warned


def test_one_conversation_has_figures_but_no_intervals() -> None:
    one = report(CHATS[:1])
    assert one.macro.coder.value == 1
    assert np.isnan(one.macro.coder.low)
    assert "[" not in one.to_text().split("intervals over conversations.")[1].split("Depth")[0]
