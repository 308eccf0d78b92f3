"""Crossed random intercepts in a study, and errors of least squares with few counselors."""

from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.outcomes.cr2 import fit_cr2  # noqa: E402
from mi_coder.outcomes.crossed import fit_crossed  # noqa: E402
from mi_coder.outcomes.guards import ModelProblem  # noqa: E402
from mi_coder.outcomes.study.chats import Chats  # noqa: E402
from mi_coder.outcomes.study.design import Design, design_of  # noqa: E402
from mi_coder.outcomes.study.fits import Fit, fit_model  # noqa: E402
from mi_coder.outcomes.study.outcome import outcome_values  # noqa: E402
from mi_coder.outcomes.study.spec import Model, Study, models_of, study_of  # noqa: E402

DEPRESSION = {"name": "depression", "type": "symptom", "scale": "PHQ-9", "before": "before", "after": "after"}
DISTRESS = {"name": "distress", "type": "change", "before": "before", "after": "after"}
RATING = {"name": "rating", "type": "rating"}


def _chats(seed: int = 1, counselors: int = 40, clients: int = 150, rows: int = 900) -> Chats:
    random = np.random.default_rng(seed)
    counselor, client = (random.permutation(np.arange(rows) % groups) for groups in (counselors, clients))
    before = random.integers(8, 20, rows)
    person = random.normal(size=counselors)[counselor] + random.normal(size=clients)[client]
    frame = pd.DataFrame(
        {
            "counselor_id": [f"c{i}" for i in counselor],
            "client": [f"k{i}" for i in client],
            "before": before,
            "after": np.clip(np.round(0.5 * before + person + random.normal(size=rows)), 0, 27),
            "rating": np.clip(np.round(3 + person + random.normal(size=rows)), 1, 5),
        },
        index=[f"chat{i}" for i in range(rows)],
    )
    counts = pd.DataFrame(random.poisson(3, (rows, 3)), columns=["REF", "EA", "OT"], index=frame.index).astype(float)
    return Chats(counts, frame, {})


def _study(outcome: dict[str, Any], *models: Model, **keys: Any) -> Study:
    return study_of(
        {
            "data": {"counts": "x", "client": "client"},
            "outcomes": [{**outcome, "models": list(models)}],
            "techniques": {"codes": ["REF", "EA"]},
            **keys,
        }
    )


def _fitted(study: Study, chats: Chats) -> tuple[Design, Fit]:
    (outcome,) = study.outcomes
    design = design_of(study, outcome, chats, *outcome_values(outcome, chats))
    return design, fit_model(models_of(outcome)[0], study, outcome, design)


@pytest.mark.parametrize("outcome", [DEPRESSION, DISTRESS, RATING])
@pytest.mark.parametrize("cluster", ["counselor", "client"])
def test_it_is_the_crossed_model_of_the_design(outcome: dict[str, Any], cluster: str) -> None:
    chats = _chats()
    design, fit = _fitted(_study(outcome, "crossed", inference={"cluster": cluster}), chats)
    direct = fit_crossed(
        design.outcome, design.names, design.columns, chats.frame["counselor_id"], chats.frame["client"]
    )
    rows = fit.rows
    assert ("before" in set(rows["term"])) == (outcome is not RATING)
    assert rows["estimate"].to_numpy() == pytest.approx(direct.coefficients[1:])
    assert rows["se"].to_numpy() == pytest.approx(direct.se[1:])
    assert (rows["effect"] == rows["estimate"]).all() and rows["unit"].str.startswith("points").all()
    assert np.isinf(rows["df"]).all() and (rows["n_clusters"] == 40).all()
    assert fit.facts["tau2"] == direct.tau2_counselor > 0.5 and fit.facts["tau2_client"] == direct.tau2_client > 0.5
    assert fit.facts["clients"] == 150 and fit.facts["icc"] == direct.icc_counselor


def test_few_counselors_or_clients_have_the_t_distribution() -> None:
    for counselors, clients in ((15, 150), (60, 15)):
        _, fit = _fitted(_study(DISTRESS, "crossed"), _chats(counselors=counselors, clients=clients))
        assert (fit.rows["df"] == 14).all()


def test_chats_without_client_are_counted_and_only_where_the_model_is_asked_for() -> None:
    chats = _chats()
    chats.frame.loc[chats.frame.index[:7], "client"] = None
    asked = _study(DEPRESSION, "crossed", "linear").fit(chats=chats)
    assert set(asked.rows["model"]) == {"crossed", "linear"} and (asked.rows["n"] == 893).all()
    assert asked.glance()["dropped"].str.contains("7 no client").all()
    plain = _study(DEPRESSION).fit(chats=chats)
    assert "crossed" not in set(plain.rows["model"]) and (plain.rows["n"] == 900).all()


def test_clients_of_one_counselor_are_said_not_to_be_separable() -> None:
    chats = _chats()
    chats.frame["client"] = chats.frame["counselor_id"] + np.where(chats.frame["before"] % 2, "a", "b")
    found = _study(DEPRESSION, "linear", "crossed").fit(chats=chats)
    assert set(found.rows["model"]) == {"linear"}
    assert any("depression, crossed: Client and counselor are not separable" in note for note in found.notes)
    with pytest.raises(ModelProblem, match="not separable"):
        _study(DEPRESSION, "crossed").fit(chats=chats)


def test_a_client_variance_of_0_is_said() -> None:
    chats = _chats()
    after = chats.frame["after"] - 0.5 * chats.frame["before"]
    chats.frame["after"] = chats.frame["after"] - after.groupby(chats.frame["client"]).transform("mean")
    found = _study(DISTRESS, "linear", "crossed").fit(chats=chats)
    assert any("between the 150 clients is estimated as 0" in note for note in found.notes)


@pytest.mark.parametrize("model", ["linear", "change"])
def test_least_squares_of_few_counselors_have_errors_of_their_own(model: Model) -> None:
    few, many = (_chats(counselors=counselors) for counselors in (12, 60))
    study = _study(DISTRESS, model, inference={"draws": 99})
    design, fit = _fitted(study, few)
    columns, outcome = (design.columns, design.outcome)
    if model == "change":
        assert design.before is not None
        columns, outcome = columns[:, [name != "before" for name in design.names]], outcome - design.before
    direct = fit_cr2(outcome, list(fit.rows["term"]), columns, few.frame["counselor_id"])
    assert fit.rows["se"].to_numpy() == pytest.approx(direct.se)
    assert fit.rows["df"].to_numpy() == pytest.approx(direct.df)
    few = "only 12 clusters: CR2 standard errors, t with Satterthwaite's degrees"
    assert fit.rows["warnings"].str.contains(few).all()
    assert fit.rows["warnings"].str.contains("p of codes by the wild cluster bootstrap").all()
    _, plain = _fitted(study, many)
    assert (plain.rows["df"] == 59).all() and (plain.rows["warnings"] == "").all()


def test_weights_and_other_families_keep_the_errors_of_all_clusters() -> None:
    chats = _chats(counselors=12)
    study = _study(RATING, "linear", "logit", inference={"draws": 99})
    (outcome,) = study.outcomes
    design = design_of(study, outcome, chats, *outcome_values(outcome, chats))
    weighted = fit_model("linear", study, outcome, design, np.linspace(0.5, 1.5, 900, dtype=np.float64))
    logit = fit_model("logit", study, outcome, design)
    for fit in (weighted, logit):
        assert (fit.rows["df"] == 11).all()
        assert fit.rows["warnings"].str.contains("t with 11 degrees of freedom").all()
