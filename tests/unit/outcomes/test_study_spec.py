"""The study file: what is refused, and that what it says is what is run."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mi_coder.cli.relate import STUDY
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.study.presets import designs_of
from mi_coder.outcomes.study.spec import read_study, study_of, study_schema

SMALL: dict[str, Any] = {"data": {"chats": ["a.jsonl"]}, "outcomes": [{"name": "rating", "type": "rating"}]}


def test_the_example_of_the_help_is_a_study_and_fits_the_schema(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    study = read_study(tmp_path / "study.yaml")
    assert study.outcomes[0].levels == (1, 2, 3, 4, 5)
    jsonschema.validate(yaml.safe_load(STUDY), json.loads(study_schema()))


def test_the_resolved_study_means_the_same() -> None:
    study = study_of(SMALL)
    assert study_of(yaml.safe_load(study.to_yaml())).digest == study.digest
    assert study_of({**SMALL, "seed": 2}).digest != study.digest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tecniques": {}}, "unknown key 'tecniques'. Did you mean 'techniques'?"),
        ({"data": {"chat": ["a"]}}, "unknown key 'data.chat'. Did you mean 'chats'?"),
        ({"outcomes": [{"name": "r", "type": "rating", "level": [1]}]}, "'outcomes[0].level'. Did you mean 'levels'?"),
        ({"covariates": [{"field": "a", "transfrom": "log"}]}, "'covariates[0].transfrom'. Did you mean 'transform'?"),
        ({"matching": {"covariate": ["a"]}}, "'matching.covariate'. Did you mean 'covariates'?"),
        ({"outcomes": []}, "outcomes"),
        ({"outcomes": [{"name": "r", "type": "ratings"}]}, "outcomes[0].type is 'ratings'. Did you mean 'rating'?"),
        ({"outcomes": [{"name": "r", "type": "rating", "models": ["ordinl"]}]}, "Did you mean 'ordinal'?"),
        ({"preset": "shah"}, "It can be empty, shah2022, yang2024."),
        ({"outcomes": [{"name": "p", "type": "symptom", "scale": "PHQ-9"}]}, "needs the columns before and after"),
        ({"outcomes": [{"name": "p", "type": "symptom", "before": "a", "after": "b"}]}, "needs a scale"),
        ({"outcomes": SMALL["outcomes"] * 2}, "named twice: rating"),
        ({"outcomes": [{"name": "r", "type": "rating", "models": ["poisson"]}]}, "There are ordinal"),
        ({"outcomes": [{"name": "r", "type": "rating", "models": ["crossed"]}]}, "in data.counselor and data.client"),
        ({"outcomes": [{"name": "r", "type": "count", "models": ["crossed"]}]}, "crossed is not a model of a count"),
        ({"data": {}}, "data.chats"),
        ({"data": {"chats": ["a"], "counts": "b"}}, "data.chats"),
        ({"label_error": {"correction": "ptd"}}, "needs gold"),
        ({"label_error": {"sampling": "weights"}}, "label_error.probability"),
        ({"matching": {"covariates": ["a"]}}, "matching.technique"),
        ({"inference": {"alpha": 2}}, "$.inference.alpha"),
        ({"version": 3}, "$.version"),
        ({"techniques": {"codes": ["OQ", "REFF"]}}, "techniques: there is no code 'REFF'. Did you mean 'REF'? There"),
        ({"techniques": {"codes": ["Questoin"], "merge": {"Question": ["OQ"]}}}, "Did you mean 'Question'? There are"),
        ({"techniques": {"reference": ["XX"]}}, "techniques: there is no code 'XX'. There are OQ, "),
        ({"techniques": {"merge": {"Q": ["OQ", "QC"]}}}, "techniques: there is no code 'QC'. There are OQ, "),
        ({"matching": {"technique": "EAA", "covariates": ["a"]}}, "matching.technique: there is no code 'EAA'. Did"),
    ],
)
def test_what_is_refused_names_the_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageProblem) as error:
        study_of({**SMALL, **change}, "study.yaml")
    assert "study.yaml" in str(error.value) and said in str(error.value)


@pytest.mark.parametrize("text", ["a: [", "- 1", "\x00", "? {a: b}\n: {"])
def test_what_is_no_study_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(UsageProblem, match=r"study\.yaml"):
        read_study(tmp_path / "study.yaml")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read"):
        read_study(tmp_path / "none.yaml")


def test_presets_run_beside_the_recommended_design() -> None:
    (name, preset), (own_name, own) = designs_of(study_of({**SMALL, "preset": "shah2022"}))
    assert (name, own_name) == ("shah2022", "recommended")
    assert len(preset.techniques.codes) == 16 and "OT" not in preset.techniques.codes
    assert preset.outcomes[0].balanced and preset.techniques.form == "count" and not preset.techniques.log_length
    assert own == study_of(SMALL)


def test_a_preset_needs_its_outcome() -> None:
    with pytest.raises(UsageProblem, match="no such outcome"):
        designs_of(study_of({**SMALL, "data": {"chats": ["a"], "client": "c"}, "preset": "yang2024"}))
    with pytest.raises(UsageProblem, match=r"data\.client"):
        designs_of(study_of({**SMALL, "preset": "yang2024"}))
