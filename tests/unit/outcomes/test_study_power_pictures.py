"""The plan of a study in notebooks: frame, picture and table in one line each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.errors import UnknownName, UsageProblem  # noqa: E402
from mi_coder.outcomes.simulate import simulate  # noqa: E402
from mi_coder.outcomes.study.power import Plan, plan_study  # noqa: E402
from mi_coder.outcomes.study.spec import study_of  # noqa: E402

CODES = ["REF", "AF", "EA", "PR"]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder: Path = tmp_path_factory.mktemp("platform")
    simulate(chats=900, counselors=60, gold=0.4, seed=5).write(folder)
    given: dict[str, Any] = {
        "data": {"counts": "chats.csv"},
        "outcomes": [{"name": "rating", "type": "rating"}],
        "techniques": {"codes": CODES, "within_between": False},
        "label_error": {"counts": "gold.csv"},
    }
    return plan_study(study_of(given), folder)


def test_the_plan_as_a_frame(plan: Plan) -> None:
    frame = plan.frame([472, 5_000], [100, 400, 600])
    assert list(frame.columns) == ["technique", "chats", "gold", "width"] and set(frame["technique"]) == set(CODES)
    assert {(chats, gold) for _, chats, gold, _ in frame.itertuples(index=False, name=None)} == {
        (472, 100), (472, 400), (5_000, 100), (5_000, 400), (5_000, 600),
    }  # fmt: skip
    one = frame[(frame["chats"] == 5_000) & (frame["gold"] == 400)].set_index("technique")["width"]
    assert one["AF"] == plan.budget.width(5_000, 400)[CODES.index("AF")]
    whole = plan.frame()
    assert sorted(set(whole["chats"])) == [472, 944, 2_360, 4_720] and whole["gold"].max() == 804
    with pytest.raises(UsageProblem, match="parameters"):
        plan.frame(gold=[plan.budget.parameters])


@pytest.mark.parametrize("kind", [np.array, pd.Series, lambda given: np.array(given, dtype=float)])
def test_numbers_of_chats_may_be_arrays(plan: Plan, kind: Any) -> None:
    pd.testing.assert_frame_equal(
        plan.frame(kind([472, 5_000]), kind([100, 400])), plan.frame([472, 5_000], [100, 400])
    )
    [axis] = plan.plot("AF", kind([472, 5_000]), kind([100, 400])).axes
    assert [list(line.get_xdata()) for line in axis.get_lines()][:2] == [[100, 400], [100, 400]]


def test_the_plan_as_a_picture(plan: Plan) -> None:
    axis: Any
    [axis] = plan.plot("AF", chats=[472, 5_000], gold=[100, 300, 600], width=0.4).axes
    lines = [(list(line.get_xdata()), line.get_ydata()) for line in axis.get_lines()]
    assert [gold for gold, _ in lines] == [[100, 300], [100, 300, 600], [201], [0, 1]]
    assert lines[1][1][2] == plan.budget.width(5_000, 600)[1] and lines[2][1][0] == plan.budget.width(472, 201)[1]
    assert list(lines[3][1]) == [0.4, 0.4] and "Affirm" in axis.get_title()
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["472", "5,000", "the pilot"]
    assert "Reflection" in plan.plot().axes[0].get_title(), "the first technique"
    with pytest.raises(UnknownName, match="Did you mean 'REF'"):
        plan.plot("REFL")


def test_the_plan_as_a_table_and_as_text(plan: Plan) -> None:
    html = plan._repr_html_()
    assert html.count('<th scope="row"') == len(CODES) and html.index(">REF<") < html.index(">AF<")
    assert "944 chats, 402 gold" in html and "rating, ordinal: 472 chats, 201 of them with gold codes." in html
    assert repr(plan) == plan.summary()
