"""Budgets: predicted widths against larger studies, chances to be drawn, and estimates from chats so drawn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")

from benchmarks.trials import label_error as trials  # noqa: E402
from mi_coder.annotation.sampling import Plan as Draws  # noqa: E402
from mi_coder.annotation.sampling import draw  # noqa: E402
from mi_coder.errors import UsageProblem  # noqa: E402
from mi_coder.evaluation.metrics import Floats  # noqa: E402
from mi_coder.outcomes.families import fit_family  # noqa: E402
from mi_coder.outcomes.label_error import Corrected, correct, fit_pieces  # noqa: E402
from mi_coder.outcomes.power import Budget, budget, sampling_probabilities  # noqa: E402
from mi_coder.outcomes.simulate import Platform, simulate  # noqa: E402
from mi_coder.outcomes.study.power import Plan, plan_study, read_tagger  # noqa: E402
from mi_coder.outcomes.study.spec import study_of  # noqa: E402

NAMES = (*trials.NAMES, "severity", "log_length")
CODES = ["REF", "AF", "EA", "PR"]


class _World:
    """One simulated study whose tagger errs more where chats went badly."""

    def __init__(self, family: trials.Family, chats: int, seed: int) -> None:
        given, self.random = trials.world(), np.random.default_rng(seed)
        counts, covariates, self.outcome, self.counselor = trials._chats(given, family, chats, chats // 10, self.random)
        found = trials._found(given, counts, self.outcome, True, self.random)
        self.family: trials.Family = family
        self.tagged = np.hstack([trials._shares(found), covariates])
        self.gold = np.hstack([trials._shares(counts), covariates])

    def some(self, size: int) -> Any:
        return np.sort(self.random.choice(len(self.outcome), size, replace=False))

    def corrected(self, rows: Any, probabilities: Floats | None = None) -> Corrected:
        return correct(
            self.family,
            self.outcome,
            NAMES,
            self.tagged,
            self.gold[rows],
            rows,
            self.counselor,
            probabilities=probabilities,
        )

    def budget(self, gold: int) -> Budget:
        rows = self.some(gold)
        return budget(
            NAMES,
            fit_pieces(self.family, self.outcome, NAMES, self.tagged, self.gold[rows], rows, self.counselor),
            self.counselor,
        )


@pytest.mark.parametrize("family", ["linear", "ordinal"])
def test_predicted_widths_are_those_of_larger_studies(family: trials.Family) -> None:
    chats, gold = 6_000, 900
    seen = []
    for seed in range(5):
        study = _World(family, chats, 50 + seed)
        part = study.corrected(study.some(gold)).corrected
        seen.append(part.high - part.low)
    pilots = [_World(family, 2_000, seed).budget(400) for seed in range(8)]
    ratios = np.array([pilot.width(chats, gold) for pilot in pilots]) / np.mean(seen, axis=0)
    assert 0.85 < np.exp(np.log(ratios).mean()) < 1.15
    focal = [k - 1 for k in trials.FOCAL]
    assert 0.85 < np.exp(np.log(ratios[:, focal]).mean()) < 1.15
    # One pilot alone is right within a third or so.
    assert (abs(np.log(ratios[:, focal]).mean(axis=1)) < np.log(4 / 3)).all()


@pytest.fixture(scope="module")
def pilot() -> Budget:
    return _World("linear", 2_000, 3).budget(400)


def test_the_pilot_itself_has_the_width_that_it_has() -> None:
    study = _World("linear", 2_000, 3)
    rows = study.some(400)
    part = study.corrected(rows).corrected
    plan = budget(
        NAMES,
        fit_pieces("linear", study.outcome, NAMES, study.tagged, study.gold[rows], rows, study.counselor),
        study.counselor,
    )
    assert np.allclose(plan.width(2_000, 400), part.high - part.low, rtol=0.03)


def test_more_chats_and_more_gold_are_narrower(pilot: Budget) -> None:
    widths = np.array(
        [pilot.width(chats, gold) for chats, gold in ((2000, 200), (2000, 400), (8000, 400), (8000, 4000))]
    )
    assert (np.diff(widths, axis=0) < 1e-12).all() and (widths[3] < 0.6 * widths[0]).all()


@pytest.mark.parametrize("seed", range(1, 4))
def test_more_chats_never_ask_for_more_gold_chats(seed: int, tmp_path: Path) -> None:
    # In the first, what falls with more chats is estimated below 0.
    simulate(chats=900, counselors=60, gold=0.4, seed=seed).write(tmp_path)
    plan = _plan(tmp_path).budget
    numbers = (300, 472, 1_000, 2_000, 5_000, 20_000, 1_000_000)
    for width in (0.2, 0.3, 0.4, 0.5, 0.8):
        needed = [[np.inf if each is None else each for each in plan.gold_needed(n, width)] for n in numbers]
        assert not (np.array(needed[1:]) > np.array(needed[:-1])).any()
    widths = np.array([plan.width(n, 250) for n in numbers])
    assert (np.diff(widths, axis=0) <= 1e-12).all()


def test_fewest_gold_chats_and_fewest_chats(pilot: Budget) -> None:
    width = float(np.median(pilot.width(4_000, 800)))
    for i, needed in enumerate(pilot.gold_needed(4_000, width)):
        if needed is None:
            assert pilot.width(4_000, 4_000)[i] > width
        else:
            assert pilot.width(4_000, needed)[i] <= width
            assert needed == pilot.fewest_gold(4_000) or pilot.width(4_000, needed - 1)[i] > width
    for i, needed in enumerate(pilot.chats_needed(0.1, width)):
        assert needed is not None and pilot.width(needed, round(0.1 * needed))[i] <= width
        fewer = max(needed - 20, pilot.fewest_chats(0.1))
        assert fewer == needed or pilot.width(fewer, round(0.1 * fewer))[i] > width


def test_no_plan_is_below_what_it_takes_to_correct(pilot: Budget) -> None:
    least = 5 * pilot.parameters
    assert pilot.gold_needed(4_000, 100.0) == [least] * len(NAMES) == [pilot.fewest_gold(4_000)] * len(NAMES)
    assert pilot.gold_needed(least - 1, 100.0) == [None] * len(NAMES)
    needs = f"at least {least} gold chats, from at least {pilot.parameters + 1} clusters"
    with pytest.raises(UsageProblem, match=needs):
        pilot.width(4_000, least - 1)
    for needed in pilot.chats_needed(0.1, 100.0):
        assert needed is not None and needed == pilot.fewest_chats(0.1) and round(0.1 * needed) == least
    # All chats of few counselors: none can be corrected, and of twice as many chats, as there are 30 counselors then.
    few = replace(pilot, sizes=np.full(15, 100), n=1_500, n_gold_clusters=15)
    assert few.fewest_gold(1_500) is None and few.gold_needed(1_500, 100.0) == [None] * len(NAMES)
    fewest = few.fewest_gold(3_000)
    assert fewest is not None and fewest >= least and few.gold_clusters(3_000, fewest) >= pilot.parameters + 1


def test_clusters_of_gold_chats_are_those_of_random_draws(pilot: Budget) -> None:
    assert pilot.gold_clusters(2_000, 400) == pilot.n_gold_clusters
    assert pilot.gold_clusters(20_000, 20_000) == pytest.approx(10 * len(pilot.sizes))
    random = np.random.default_rng(1)
    labels = np.repeat(np.arange(len(pilot.sizes)), pilot.sizes)
    seen = [len(np.unique(random.choice(labels, 150, replace=False))) for _ in range(200)]
    expected = replace(pilot, n_gold_clusters=round(pilot._reached(2_000, 400))).gold_clusters(2_000, 150)
    assert expected == pytest.approx(np.mean(seen), rel=0.02)


@pytest.mark.parametrize("counselors", [12, 60])
def test_widths_are_those_of_relate(counselors: int, tmp_path: Path) -> None:
    depression = {
        **{"name": "depression", "type": "symptom", "scale": "PHQ-9", "models": ["linear"]},
        **{"before": "phq9_pre", "after": "phq9_post"},
    }
    study = study_of(
        {
            "data": {"counts": "chats.csv"},
            "outcomes": [depression],
            "techniques": {"codes": ["OQ", "EA"]},
            "label_error": {"counts": "gold.csv"},
            "inference": {"draws": 99},
        }
    )
    ratios = []
    for seed in range(5):
        simulate(chats=1_500, counselors=counselors, gold=0.6, seed=seed).write(tmp_path)
        rows = study.fit(tmp_path).tidy("depression", "linear").query("correction == 'ptd'").set_index("term")
        found = rows["ci_high"] - rows["ci_low"]
        whole = plan_study(study, tmp_path).budget
        gold = pd.read_csv(tmp_path / "gold.csv")
        gold.sample(frac=0.5, random_state=seed).to_csv(tmp_path / "gold.csv", index=False)
        half = plan_study(study, tmp_path).budget
        assert whole.gold_clusters(whole.n, whole.n_gold) == rows["df"].iloc[0] + 1
        for name, width in found.items():
            i = whole.names.index(name)
            ratios.append([each.width(whole.n, whole.n_gold)[i] / width for each in (whole, half)])
    same, planned = np.array(ratios).T
    # Where what falls with more chats is estimated below 0 it is taken as 0, and the width is above the one found.
    assert same.min() == pytest.approx(1) and np.median(same) == pytest.approx(1)
    assert 0.85 < np.exp(np.log(planned).mean()) < 1.15


def test_what_cannot_be_planned(pilot: Budget) -> None:
    for chats, gold in ((100, 200), (100, pilot.parameters)):
        with pytest.raises(UsageProblem, match="gold codes"):
            pilot.width(chats, gold)
    for width in (0.0, -1.0, float("nan")):
        with pytest.raises(UsageProblem, match="above 0"):
            pilot.gold_needed(1000, width)
    with pytest.raises(UsageProblem, match="share"):
        pilot.chats_needed(1.5, 0.1)
    assert pilot.gold_needed(10, 100.0) == [None] * len(NAMES)
    assert pilot.chats_needed(0.1, 1e-6) == [None] * len(NAMES)


def test_chances_add_up_and_are_higher_where_a_chat_tells_more() -> None:
    study = _World("linear", 1_000, 1)
    influence = fit_family("linear", study.outcome, NAMES, study.tagged).influence
    size = np.sqrt((influence / influence.std(axis=0)) ** 2 @ np.ones(len(NAMES)))
    for wanted in (1, 150, 1_000):
        chances = sampling_probabilities(influence, wanted)
        assert chances.sum() == pytest.approx(wanted) and (chances > 0).all() and (chances <= 1).all()
    chances = sampling_probabilities(influence, 150)
    assert np.corrcoef(np.argsort(np.argsort(size)), np.argsort(np.argsort(chances)))[0, 1] > 0.999
    assert chances[size > np.quantile(size, 0.9)].mean() > 1.5 * chances[size < np.quantile(size, 0.5)].mean()
    assert chances.min() >= 0.2 * 150 / 1_000 - 1e-12
    with pytest.raises(UsageProblem):
        sampling_probabilities(influence, 1_001)


def test_corrected_estimates_from_unequal_chances_are_unbiased() -> None:
    truth = trials.truth("linear", 200_000)
    weighted, unweighted, covered = [], [], []
    for seed in range(50):
        study = _World("linear", 2_000, 900 + seed)
        chances = sampling_probabilities(fit_family("linear", study.outcome, NAMES, study.tagged).influence, 300)
        rows = draw(Draws(chances, ("",) * 2_000), seed)
        assert len(rows) == 300
        part = study.corrected(rows, chances[rows]).corrected
        weighted.append(part.coefficients)
        covered.append((part.low <= truth) & (truth <= part.high))
        unweighted.append(study.corrected(rows).corrected.coefficients)
    off, wrong = (
        (np.mean(each, axis=0) - truth) / (np.std(each, axis=0, ddof=1) / 50**0.5) for each in (weighted, unweighted)
    )
    assert (off**2).mean() < 2 and abs(off).max() < 3.6
    assert (wrong**2).mean() > 3 * (off**2).mean()
    assert 0.91 < np.mean(covered) < 0.98


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("platform")
    _platform().write(path)
    return path


def _platform() -> Platform:
    return simulate(chats=900, counselors=60, gold=0.4, seed=5)


def _plan(folder: Path, tagger: Any = None, **changed: Any) -> Plan:
    given: dict[str, Any] = {
        "data": {"counts": "chats.csv"},
        "outcomes": [{"name": "rating", "type": "rating"}],
        "techniques": {"codes": CODES, "within_between": False},
        "label_error": {"counts": "gold.csv"},
    }
    return plan_study(study_of({**given, **changed}), folder, tagger)


def test_the_plan_of_a_study(folder: Path) -> None:
    plan = _plan(folder)
    assert (plan.outcome, plan.model, plan.simulated) == ("rating", "ordinal", False)
    assert (plan.budget.n, plan.budget.n_gold) == (472, 201)
    table = plan.table(0.8, [472, 5_000])
    assert list(table["technique"]) == CODES
    assert np.allclose(table.iloc[:, 1], plan.budget.width(472, 201)[: len(CODES)])
    chances = plan.probabilities(100)
    rated = _platform().tagged["rating"].dropna().index
    assert list(chances["conversation_id"]) == list(rated)
    assert chances["probability"].sum() == pytest.approx(100)


def test_the_plan_says_where_the_model_asks_for_gold_and_not_the_width(folder: Path) -> None:
    plan = _plan(folder)
    assert plan.budget.parameters == 8
    table = plan.table(9.0, [30, 472])
    assert list(table["gold needed of 30 chats"]) == ["all are too few"] * 4
    assert list(table["gold needed of 472 chats"]) == ["40 (fewest)"] * 4
    assert all(str(cell).endswith(" (fewest)") for cell in table["chats needed, a tenth gold"])
    assert "at least 40 gold chats (5 for each of the 8 parameters), from at least 9 clusters" in plan.least()
    assert not plan.table(0.3, [5_000]).astype(str).apply(lambda column: column.str.contains("fewest")).any(axis=None)
    with pytest.raises(UsageProblem, match="at least 40"):
        plan.frame([472], [39])
    assert plan.frame([472])["gold"].min() >= 40


def test_chances_of_the_plan_carry_over_to_the_study(folder: Path, tmp_path: Path) -> None:
    platform = _platform()
    chances = _plan(folder).probabilities(200).set_index("conversation_id")["probability"]
    rows = draw(Draws(chances.to_numpy(), ("",) * len(chances)), 1)
    drawn = chances.index[rows]
    platform.tagged.to_csv(tmp_path / "chats.csv", index_label="conversation_id")
    platform.truth.loc[drawn].assign(chance=chances[drawn]).to_csv(tmp_path / "gold.csv", index_label="conversation_id")
    study = study_of(
        {
            "data": {"counts": "chats.csv"},
            "outcomes": [{"name": "rating", "type": "rating", "models": ["linear"]}],
            "techniques": {"codes": CODES, "within_between": False},
            "label_error": {"counts": "gold.csv", "sampling": "weights", "probability": "chance"},
        }
    )
    found = study.fit(tmp_path).tidy("rating", "linear")
    corrected = found[found["correction"] == "ptd"]
    rated = platform.tagged.dropna(subset=["rating"])
    truth = platform.truth.loc[rated.index]
    codes = [name for name in truth.columns if name != "messages"]
    gold = 10 * truth[CODES].to_numpy() / truth[codes].sum(axis=1).to_numpy()[:, None]
    tagged = 10 * rated[CODES].to_numpy() / rated[codes].sum(axis=1).to_numpy()[:, None]
    direct = correct(
        "linear",
        rated["rating"].to_numpy(),
        CODES,
        tagged,
        gold[rows],
        rows,
        rated["counselor_id"].to_numpy(),
        probabilities=chances.to_numpy()[rows],
    )
    assert np.allclose(corrected["estimate"], direct.corrected.coefficients)
    assert np.allclose(corrected["se"], direct.corrected.se)


def test_without_gold_from_the_taggers_figures(folder: Path) -> None:
    good, poor = (pd.DataFrame({"code": CODES, "precision": figure, "recall": figure}) for figure in (0.95, 0.5))
    plans = [_plan(folder, tagger) for tagger in (good, poor)]
    assert all(plan.simulated for plan in plans)
    narrow, wide = (plan.budget.width(900, 200)[: len(CODES)] for plan in plans)
    assert (narrow < wide).mean() > 0.7 and narrow.mean() < 0.9 * wide.mean()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"precision": np.nan}, "no precision and recall for AF, EA, PR, REF"),
        ({"code": ["REF", "AF", "EA", "SU"]}, "no precision and recall for PR:"),
        ({"recall": [0.0, 0.5, 0.5, 0.5]}, "REF must be above 0 and at most 1"),
        ({"precision": [0.5, 95, 0.5, 0.5]}, "AF must be above 0 and at most 1"),
        ({"precision": ["high", "0.5", "0.5", "0.5"]}, "no precision and recall for REF"),
    ],
)
def test_a_tagger_without_figures_is_not_free_of_errors(folder: Path, change: dict[str, Any], said: str) -> None:
    table = pd.DataFrame({"code": CODES, "precision": 0.8, "recall": 0.7}).assign(**change)
    with pytest.raises(UsageProblem, match=said):
        _plan(folder, table)


def test_rows_of_a_tagger_without_a_code_are_passed_over_and_any_other_is_named(folder: Path) -> None:
    rows = [{"code": code, "precision": 0.8, "recall": 0.7} for code in CODES]
    wrong = [{"code": code, "precision": 95, "recall": 0.7} for code in (None, 7)]
    with pytest.raises(UsageProblem, match=r"^Precision and recall of 7 must be above 0 and at most 1"):
        _plan(folder, pd.DataFrame(rows + wrong))


def test_what_a_plan_needs(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"label_error\.gold"):
        _plan(folder, label_error={})
    with pytest.raises(UsageProblem, match="planning is for"):
        _plan(folder, outcomes=[{"name": "rating", "type": "rating", "models": ["ordinal_random"]}])
    with pytest.raises(UsageProblem, match="cannot be read"):
        read_tagger(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_text("code,precison,recall\nREF,1,1\n")
    with pytest.raises(UsageProblem, match="Did you mean 'precison'"):
        read_tagger(tmp_path / "t.csv")
    for name in ("chats.csv", "gold.csv"):
        (tmp_path / name).write_text((folder / name).read_text())
    gold = pd.read_csv(tmp_path / "gold.csv")
    gold.assign(conversation_id="x" + gold["conversation_id"]).to_csv(tmp_path / "gold.csv", index=False)
    with pytest.raises(UsageProblem, match="None of the 360 gold chats"):
        _plan(tmp_path)
