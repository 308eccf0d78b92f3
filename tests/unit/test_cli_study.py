"""`mi-code relate`, `match`, `experience` and `power`: from files to folders, and what they say of what is wrong."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'mi-coder[analysis]'")

from mi_coder.cli import main as program  # noqa: E402
from mi_coder.cli.main import group  # noqa: E402
from mi_coder.errors import MissingExtra  # noqa: E402
from mi_coder.outcomes.simulate import Platform, simulate  # noqa: E402

VERBS = ("relate", "match", "experience", "power")
STUDY: dict[str, Any] = {
    "data": {"counts": "chats.csv", "client": "client_id"},
    "outcomes": [
        {"name": "rating", "type": "rating", "levels": [1, 2, 3, 4, 5], "models": ["ordinal", "linear"]},
        {"name": "depression", "type": "symptom", "scale": "PHQ-9", "before": "phq9_pre", "after": "phq9_post"},
    ],
    "techniques": {"codes": ["REF", "EA"]},
    "label_error": {"counts": "gold.csv"},
    "matching": {"technique": "EA", "covariates": ["phq9_pre", "client_age"]},
    "experience": {"time": "started_at"},
}


@pytest.fixture(scope="module")
def platform() -> Platform:
    return simulate(chats=600, counselors=50, gold=0.4, seed=8)


@pytest.fixture
def folder(platform: Platform, tmp_path: Path) -> Path:
    platform.write(tmp_path)
    _write(tmp_path)
    return tmp_path


def _write(folder: Path, **changed: Any) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in {**STUDY, **changed}.items() if value is not None}))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, list(map(str, arguments)))


def done(*arguments: object) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the program as a user does; what it says of the error, which is no traceback and no fault of the program."""

    def say(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["mi-code", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            program.main()
        said = capsys.readouterr().err
        assert leaving.value.code not in (0, None) and "Error: " in said
        assert "Traceback" not in said and "fault of mi-code" not in said and said.count("\n") <= 6
        return said

    return say


def test_relate_writes_tables_figures_and_a_report(folder: Path) -> None:
    told = done("relate", folder / "study.yaml", "-o", folder / "out")
    out = folder / "out"
    names = {path.name for path in out.iterdir()}
    assert names >= {
        *("tidy.csv", "models.csv", "report.md", "report.html", "tables.tex", "study.resolved.yaml", "run.json"),
        *("forest_rating.svg", "forest_rating.png", "predicted_rating_ref.svg", "history.jsonl"),
        *("change_depression.csv", "response_rating.csv", "marginal_effects_rating.csv", "gain_rating_ordinal.csv"),
        *("error_by_outcome_rating.csv", "proportional_odds_rating.csv"),
    }
    tidy = pd.read_csv(out / "tidy.csv")
    assert {"naive", "gold", "ptd"} <= set(tidy["correction"].dropna())
    for text in (told.stdout, (out / "report.md").read_text()):
        assert "| corrected |" in text and "These are associations." in text
    assert "rating: ordinal" in told.stdout and "Look at" in told.stderr
    page = (out / "report.html").read_text()
    assert '<img src="data:image/svg+xml;base64,' in page and "<script" not in page
    assert 'src="http' not in page and 'href="http' not in page
    assert "toprule" in (out / "tables.tex").read_text()
    record = json.loads((out / "run.json").read_text())
    assert set(record["data"]) == {"chats.csv", "gold.csv"} and record["exploratory"] is False
    assert record["study"] in told.stderr and len(record["codebook"]) >= 12
    resolved = yaml.safe_load((out / "study.resolved.yaml").read_text())
    assert resolved["inference"]["alpha"] == 0.05 and resolved["techniques"]["reference"] == ["OT", "CC"]


def test_a_second_run_writes_over_and_a_changed_study_is_exploratory(folder: Path) -> None:
    out, smaller = folder / "out", [STUDY["outcomes"][1] | {"models": ["linear"]}]
    _write(folder, outcomes=smaller, label_error=None)
    first = done("relate", folder / "study.yaml", "-o", out)
    tidy = (out / "tidy.csv").read_bytes()
    again = done("relate", folder / "study.yaml", "-o", out)
    assert (out / "tidy.csv").read_bytes() == tidy
    assert "Exploratory" not in first.stdout + again.stdout
    _write(folder, outcomes=smaller, label_error=None, seed=7)
    changed = done("relate", folder / "study.yaml", "-o", out)
    assert "Exploratory: the study file was changed after a first run" in changed.stdout
    for name in ("report.md", "report.html"):
        assert "Exploratory" in (out / name).read_text()
    record = json.loads((out / "run.json").read_text())
    assert record["exploratory"] is True and record["runs_before"] == 2 and record["first_study"] != record["study"]
    assert len((out / "history.jsonl").read_text().splitlines()) == 3
    elsewhere = done("relate", folder / "study.yaml", "-o", folder / "other")
    assert "Exploratory: the study file was changed after a first run" in elsewhere.stdout
    (out / "history.jsonl").write_text("{" + (out / "history.jsonl").read_text())
    damaged = done("relate", folder / "study.yaml", "-o", out)
    assert "history.jsonl:1 is damaged" in damaged.stdout and "Exploratory" in (out / "report.md").read_text()


@pytest.mark.parametrize("verb", ["relate", "match", "experience"])
def test_files_of_others_are_overwritten_only_when_forced(
    verb: str, folder: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = _write(folder, outcomes=[STUDY["outcomes"][1] | {"models": ["linear"]}], label_error=None)
    out = folder / "out"
    out.mkdir()
    (out / "report.html").write_text("mine")
    with monkeypatch.context() as patch:
        for module in ("run.run_study", "match.run_matching", "experience.run_experience"):
            patch.setattr(f"mi_coder.outcomes.study.{module}", None)  # Refused before anything is fitted.
        said = refused(verb, study, "-o", out)
    assert (
        "report.html exists, and the history of this folder does not list it as it is now." in said
        and "--force" in said
    )
    assert [path.name for path in out.iterdir()] == ["report.html"] and not (folder / ".study.history.jsonl").exists()
    done(verb, study, "-o", out, "--force")
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    # Into the same folder again without it, and from another command, too.
    done(verb, study, "-o", out)
    done("match" if verb == "relate" else "relate", study, "-o", out)
    done(verb, study, "-o", out)


@pytest.mark.parametrize("verb", ["relate", "match", "experience"])
@pytest.mark.parametrize("file", ["counts", "outcomes", "study", "link"])
def test_inputs_and_links_are_never_overwritten(
    verb: str, file: str, folder: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"relate": "models.csv", "match": "estimates.csv", "experience": "who_stays.csv"}
    data = dict(STUDY["data"])
    given = {"outcomes": [STUDY["outcomes"][1] | {"models": ["linear"]}], "label_error": None}
    study, written = folder / "study.yaml", folder / names[verb]
    if file == "counts":
        (folder / "chats.csv").rename(written)
        _write(folder, **given, data={**data, "counts": written.name})
    elif file == "outcomes":
        chats = pd.read_csv(folder / "chats.csv")
        chats[["conversation_id", "phq9_post"]].to_csv(written, index=False)
        chats.drop(columns="phq9_post").to_csv(folder / "chats.csv", index=False)
        _write(folder, **given, data={**data, "outcomes": written.name})
    elif file == "study":
        study = _write(folder, **given).rename(folder / "study.resolved.yaml")
    else:
        _write(folder, **given)
        (folder / "precious.txt").write_text("precious")
        written.symlink_to(folder / "precious.txt")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.chdir(folder)
    for force in ((), ("--force",)):
        said = refused(verb, study.name, "-o", ".", *force)
        assert ("is a link" if file == "link" else "is an input and would be overwritten") in said
        assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_control_characters_of_names_are_not_printed(folder: Path) -> None:
    name = "mood\x1b]0;pwn\x07"
    study = _write(folder, outcomes=[STUDY["outcomes"][1] | {"models": ["linear"], "name": name}], label_error=None)
    told = done("relate", study, "-o", folder / "out")
    assert r"mood\x1b]0;pwn\x07: linear" in told.stdout and not {"\x1b", "\x07"} & set(told.output)


def test_files_of_outcomes_that_are_gone_go_too(folder: Path) -> None:
    out = folder / "out"
    both = [STUDY["outcomes"][0] | {"models": ["linear"]}, STUDY["outcomes"][1] | {"models": ["linear"]}]
    done("relate", _write(folder, outcomes=both, label_error=None), "-o", out)
    first = {path.name for path in out.iterdir()}
    assert {"forest_depression.svg", "forest_depression.png", "change_depression.csv"} <= first
    (out / "notes_on_depression.txt").write_text("mine")
    done("relate", _write(folder, outcomes=both[:1], label_error=None), "-o", out)
    names = {path.name for path in out.iterdir()}
    assert {name for name in names if "depression" in name} == {"notes_on_depression.txt"}
    assert {"tidy.csv", "report.html", "forest_rating.png"} <= names


def test_comments_and_order_of_a_study_file_change_nothing(folder: Path) -> None:
    smaller = [STUDY["outcomes"][1] | {"models": ["linear"]}]
    path = _write(folder, outcomes=smaller, label_error=None)
    done("relate", path, "-o", folder / "out")
    path.write_text("# looked at it again\n" + path.read_text() + "seed: 1\n")
    assert "Exploratory" not in done("relate", path, "-o", folder / "out").stdout


def test_relate_writes_beside_the_study_by_default(folder: Path) -> None:
    path = _write(folder, outcomes=[STUDY["outcomes"][1] | {"models": ["change"]}], label_error=None)
    done("relate", path)
    assert (folder / "study.results" / "report.html").is_file()


def test_check_shows_the_study_and_fits_nothing(folder: Path) -> None:
    (folder / "chats.csv").unlink()
    told = done("relate", folder / "study.yaml", "--check")
    assert yaml.safe_load(told.stdout)["inference"]["draws"] == 999
    assert not (folder / "study.results").exists()


def test_check_refuses_codes_that_are_not_there(folder: Path, refused: Callable[..., str]) -> None:
    told = refused("relate", _write(folder, techniques={"codes": ["OQ", "REFF"]}), "--check")
    assert "study.yaml: techniques: there is no code 'REFF'. Did you mean 'REF'?" in told
    assert "Chats are not read" in " ".join(done("relate", "--help").stdout.split())


def test_the_example_is_a_study_that_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(done("relate", "--example").stdout)
    resolved = done("relate", path, "--check").stdout
    (tmp_path / "resolved.yaml").write_text(resolved)
    assert done("relate", tmp_path / "resolved.yaml", "--check").stdout == resolved


def test_match_writes_a_folder(folder: Path) -> None:
    told = done("match", folder / "study.yaml", "-o", folder / "m")
    names = {path.name for path in (folder / "m").iterdir()}
    assert names >= {
        *("report.md", "estimates.csv", "balance.csv", "love_plot.svg", "love_plot.png", "overlap.svg"),
        *("study.resolved.yaml", "run.json"),
    }
    assert "pairs" in told.stdout and "this is not an experiment" in told.stdout and "no rating" in told.stdout
    assert list(pd.read_csv(folder / "m" / "estimates.csv")["method"])[:2] == ["matched", "matched and adjusted"]
    _write(folder, seed=3)
    assert "Exploratory" in done("match", folder / "study.yaml", "-o", folder / "m").stdout


def test_experience_writes_a_folder(folder: Path) -> None:
    told = done("experience", folder / "study.yaml", "-o", folder / "e")
    names = {path.name for path in (folder / "e").iterdir()}
    assert names >= {
        *("report.md", "tidy.csv", "tenure.csv", "who_stays.csv", "curves_ref.svg", "curves_ea.png"),
        *("study.resolved.yaml", "run.json"),
    }
    assert "| technique | pooled | q pooled | within |" in told.stdout and "who stays" in told.stdout
    assert set(pd.read_csv(folder / "e" / "tidy.csv")["level"]) == {"pooled", "within", "between"}
    _write(folder, seed=3)
    assert "Exploratory" in done("experience", folder / "study.yaml", "-o", folder / "e").stdout


def test_power_says_how_many_and_which(folder: Path) -> None:
    told = done("power", folder / "study.yaml", "--width", 0.5, "--chats", 3000, "--gold", 90, "-o", folder / "c.csv")
    assert "gold needed of 3000 chats" in told.stdout and "REF (within)" in told.stdout
    chances = pd.read_csv(folder / "c.csv")
    assert list(chances.columns) == ["conversation_id", "probability"]
    assert chances["probability"].sum() == pytest.approx(90) and chances["probability"].between(0, 1).all()
    assert "--design given --chances" in told.stderr
    default = done("power", folder / "study.yaml", "--width", 0.5).stdout
    rated = len(chances)
    assert all(f"gold needed of {times * rated} chats" in default for times in (1, 2, 5, 10))
    assert "fewest" not in default
    wide = done("power", folder / "study.yaml", "--width", 50).stdout
    least = "(fewest): fewer would do for the width, but for a correction `relate` needs at least"
    assert " (fewest) |" in wide and least in wide


@pytest.mark.parametrize("name", ["study.yaml", "chats.csv", "gold.csv", "outcomes.csv", "tagger.csv"])
def test_power_never_writes_what_it_reads(name: str, folder: Path, refused: Callable[..., str]) -> None:
    study = _write(folder, data={**STUDY["data"], "outcomes": "outcomes.csv"})
    for other in ("outcomes.csv", "tagger.csv"):
        (folder / other).write_text("mine")
    before = (folder / name).read_bytes()
    arguments = ("--width", 0.5, "--gold", 90, "--tagger", folder / "tagger.csv", "-o", folder / name)
    assert f"{name} is an input" in refused("power", study, *arguments, "--force")
    assert (folder / name).read_bytes() == before


def test_power_writes_over_a_file_only_when_forced(folder: Path, refused: Callable[..., str]) -> None:
    (folder / "c.csv").write_text("mine")
    arguments = ("--width", 0.5, "--gold", 90, "-o", folder / "c.csv")
    assert "--force" in refused("power", folder / "study.yaml", *arguments)
    assert (folder / "c.csv").read_text() == "mine"
    done("power", folder / "study.yaml", *arguments, "--force")
    assert (folder / "c.csv").read_text().startswith("conversation_id,probability\n")


def _tagged(platform: Platform, folder: Path, chats: int = 250) -> None:
    """Chats as mi-code tag writes them, and gold codes of some, message by message."""
    random = np.random.default_rng(4)
    codes = ["OQ", "REF", "SU", "EA", "OT"]
    tagged, gold = [], []
    for number, (name, row) in enumerate(platform.tagged.head(chats).iterrows()):
        habit = random.dirichlet([1.0] * len(codes))
        true = random.choice(codes, 14, p=habit)
        found = np.where(random.random(14) < 0.8, true, random.choice(codes, 14))
        rating = int(np.clip(np.round(3 + 3 * habit[1] + random.normal()), 1, 5))
        extra = {"conversation_id": name, "counselor_id": row["counselor_id"], "rating": rating}
        texts = [f"m{number}-{i}" for i in range(14)]
        tagged.append(
            extra
            | {
                "messages": [
                    {"role": "counselor", "text": text, "codes": [code], "scores": {code: 0.9}}
                    for text, code in zip(texts, found, strict=True)
                ]
            }
        )
        if number % 2:
            messages = [
                {"role": "counselor", "text": text, "gold": {"codes": [code]}}
                for text, code in zip(texts, true, strict=True)
            ]
            gold.append({"conversation_id": name, "messages": messages})
    for name, records in (("chats.tagged.jsonl", tagged), ("gold.jsonl", gold)):
        (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))


def test_from_tagged_chats_to_a_budget_and_a_sample(platform: Platform, tmp_path: Path) -> None:
    _tagged(platform, tmp_path)
    given: dict[str, Any] = {
        "data": {"chats": ["chats.tagged.jsonl"]},
        "outcomes": [{"name": "rating", "type": "rating", "models": ["linear"]}],
        "techniques": {"codes": ["REF", "EA", "OQ"], "within_between": False},
    }
    study = _write(tmp_path, **given, label_error={"gold": ["gold.jsonl"]})
    told = done("relate", study, "-o", tmp_path / "out")
    assert "tagger F1 (n)" in told.stdout
    tidy = pd.read_csv(tmp_path / "out" / "tidy.csv")
    reflection = tidy[(tidy["code"] == "REF") & (tidy["correction"] == "ptd")].iloc[0]
    assert 0.6 < reflection["f1"] < 1 and reflection["support"] > 100
    quality = pd.read_csv(tmp_path / "out" / "tagger.csv").set_index("code")
    assert quality.loc["REF", "f1"] == pytest.approx(reflection["f1"])

    planned = _write(tmp_path, **given, label_error=None)
    arguments = ("--tagger", tmp_path / "out" / "tagger.csv", "--gold", 40, "-o", tmp_path / "chances.csv")
    told = done("power", planned, "--width", 0.3, *arguments)
    assert "simulated from the tagger's errors" in told.stdout
    chats = tmp_path / "chats.tagged.jsonl"
    options = ("--n", 40, "--unit", "conversation", "--design", "given", "--chances", tmp_path / "chances.csv")
    done("sample", chats, "-o", tmp_path / "code.csv", *options)
    drawn = pd.read_csv(tmp_path / "code.csv").drop_duplicates("conversation_id").set_index("conversation_id")
    chances = pd.read_csv(tmp_path / "chances.csv").set_index("conversation_id")["probability"]
    assert len(drawn) == 40
    assert np.allclose(drawn["inclusion_probability"], chances[drawn.index])


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb: str) -> None:
    told = done(verb, "--help").stdout
    assert "Example" in told and f"mi-code {verb} study.yaml" in told


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("package", ["pandas", "scipy", "statsmodels"])
def test_a_missing_extra_is_named(verb: str, package: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    width = ("--width", 1) if verb == "power" else ()
    result = run(verb, folder / "study.yaml", *width)
    assert isinstance(result.exception, MissingExtra)
    assert package in str(result.exception) and 'pip install "mi-coder[analysis]"' in str(result.exception)


def _arguments(verb: str) -> tuple[object, ...]:
    return ("--width", 0.5) if verb == "power" else ()


@pytest.mark.parametrize("verb", VERBS)
def test_files_that_are_missing(verb: str, folder: Path, refused: Callable[..., str]) -> None:
    assert "none.yaml cannot be read" in refused(verb, folder / "none.yaml", *_arguments(verb))
    assert "cannot be read" in refused(verb, folder, *_arguments(verb))
    (folder / "chats.csv").unlink()
    assert f"There is no file {folder / 'chats.csv'}" in refused(verb, folder / "study.yaml", *_arguments(verb))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"outcome": []}, "unknown key 'outcome'. Did you mean 'outcomes'?"),
        ({"data": {"counts": "chats.csv", "counsellor": "x"}}, "'data.counsellor'. Did you mean 'counselor'?"),
        ({"outcomes": [{"name": "rating", "type": "stars"}]}, "outcomes[0].type is 'stars'"),
        ({"data": {"counts": "chats.csv", "id": "conversation"}}, "Did you mean 'conversation_id'?"),
    ],
)
def test_keys_and_values_that_are_wrong(
    verb: str, changed: dict[str, Any], said: str, folder: Path, refused: Callable[..., str]
) -> None:
    assert said in refused(verb, _write(folder, **changed), *_arguments(verb))


@pytest.mark.parametrize(
    ("verb", "changed", "said"),
    [
        ("relate", {"outcomes": [{"name": "ratin", "type": "rating"}]}, "no field 'ratin'. Did you mean 'rating'?"),
        ("relate", {"covariates": ["client_ages"]}, "Did you mean 'client_age'?"),
        ("relate", {"techniques": {"codes": ["RF"]}}, "no code 'RF'"),
        ("relate", {"label_error": {"counts": "none.csv"}}, "There is no file"),
        ("match", {"matching": {"technique": "EA", "covariates": ["ages"]}}, "no field 'ages'"),
        ("match", {"matching": None}, "no `matching`"),
        ("experience", {"experience": {"time": "start_at"}}, "Did you mean 'started_at'?"),
        ("experience", {"experience": None}, "`experience`"),
        ("power", {"label_error": None}, "label_error.gold"),
        ("power", {"outcomes": [{"name": "ratin", "type": "rating"}]}, "Did you mean 'rating'?"),
    ],
)
def test_what_the_data_or_the_study_do_not_have(
    verb: str, changed: dict[str, Any], said: str, folder: Path, refused: Callable[..., str]
) -> None:
    assert said in refused(verb, _write(folder, **changed), *_arguments(verb))
    assert [path for path in folder.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("verb", ["relate", "match", "experience"])
def test_an_output_that_is_a_file(verb: str, folder: Path, refused: Callable[..., str]) -> None:
    (folder / "out").write_text("mine")
    assert str(folder / "out") in refused(verb, folder / "study.yaml", "-o", folder / "out")
    assert (folder / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--width"),
        (("--width", 0), "--width"),
        (("--width", 1, "--gold", 10), "--gold and -o go together"),
        (("--width", 1, "--chats", 0), "--chats"),
        (("--width", 1, "--tagger", "none.csv"), "none.csv cannot be read"),
        (("--width", 1, "--gold", 100_000, "-o", "c.csv"), "100000 are to be drawn"),
    ],
)
def test_wrong_options_of_power(
    arguments: tuple[object, ...],
    said: str,
    folder: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    assert said in refused("power", folder / "study.yaml", *arguments)
    assert not (folder / "c.csv").exists()


def test_commands_are_in_the_program() -> None:
    context = click.Context(group)
    assert all(group.get_command(context, verb) is not None for verb in VERBS)
