"""How far suggestions pull: shares by arm, intervals, warnings, medians; and `mi-code bias`."""

import csv
import json
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mi_coder.annotation.pull_of_suggestions import Chosen, Share, SuggestionPull, read_choices, suggestion_pull
from mi_coder.annotation.pull_report import render
from mi_coder.cli.main import group
from mi_coder.corpora.standoff import COLUMNS
from mi_coder.errors import UsageProblem


def chosen(chat: int, codes: str, suggested: str, shown: bool, seconds: float | None = None) -> Chosen:
    return Chosen(f"c{chat}", frozenset(codes.split("+")), frozenset(suggested.split("+")), shown, seconds)


def simulated(pull: float, chats: int = 200, seed: int = 5) -> list[Chosen]:
    """SU is suggested in half of the messages, and chosen in 0.5 of these, and more often by `pull` where shown."""
    dice = random.Random(seed)
    rows = []
    for number in range(chats * 6):
        suggested, shown = dice.choice(["SU", "OQ"]), dice.random() < 0.6
        rate = (0.5 + pull * shown) if suggested == "SU" else 0.1
        codes = "SU" if dice.random() < rate else "OQ"
        rows.append(chosen(number // 6, codes, suggested, shown, dice.uniform(4, 6) + (0 if shown else 3)))
    return rows


def of(report: SuggestionPull, code: str):  # type: ignore[no-untyped-def]
    return next(one for one in report.codes if one.code == code)


def test_shares_by_arm() -> None:
    rows = [
        *[chosen(0, "SU", "SU", True)] * 3,
        chosen(1, "OQ", "SU", True),
        chosen(1, "SU+OQ", "SU", False),
        chosen(2, "OQ", "SU", False),
        chosen(2, "SU", "OQ", True),
        chosen(3, "OQ", "OQ", False),
    ]
    report = suggestion_pull(rows, without=4, samples=50)
    one = of(report, "SU")
    assert (one.suggested.shown, one.suggested.hidden) == (Share(3, 4), Share(1, 2))
    assert one.suggested.difference.value == pytest.approx(0.25)
    assert (one.other.shown, one.other.hidden) == (Share(1, 1), Share(0, 1))
    assert (report.same.shown, report.same.hidden) == (Share(3, 5), Share(1, 3))
    assert one.few
    assert [row.code for row in report.codes] == ["OQ", "SU"]
    assert (report.codings, report.without, report.conversations) == (8, 4, 4)


def test_a_pull_that_is_there_is_found_and_one_that_is_not_is_not() -> None:
    pulled = suggestion_pull(simulated(0.3), samples=300)
    one = of(pulled, "SU")
    assert one.suggested.difference.low < 0.3 < one.suggested.difference.high
    assert (pulled.silent, one.few) == (("SU",), False)
    assert "mi-code studio push PROJECT CHATS --silent SU" in render(pulled, "table")
    free = suggestion_pull(simulated(0.0), samples=300)
    assert of(free, "SU").suggested.difference.low < 0 < of(free, "SU").suggested.difference.high
    assert free.silent == ()
    assert "--silent" not in render(free, "markdown")


def test_a_pull_under_the_limit_or_with_zero_in_its_interval_is_no_warning() -> None:
    assert suggestion_pull(simulated(0.3), limit=0.6, samples=300).silent == ()
    assert suggestion_pull(simulated(0.03, chats=30), limit=0, samples=300).silent == ()


def test_median_times() -> None:
    report = suggestion_pull(simulated(0.2), samples=200)
    assert report.seconds_shown.value == pytest.approx(5, abs=0.2)
    assert report.seconds_difference.low < -3 < report.seconds_difference.high
    assert report.seconds_difference.high < -2.5
    rows = [chosen(0, "SU", "SU", True, 1.0), chosen(1, "SU", "SU", True, 2.0), chosen(1, "SU", "SU", False)]
    few = suggestion_pull(rows, samples=50)
    assert few.seconds_shown.value == 1.5
    assert "– where hidden" in render(few, "table")
    assert json.loads(render(few, "json"))["seconds_hidden"]["value"] is None


def test_the_order_of_rows_changes_nothing() -> None:
    rows = simulated(0.2, chats=30)
    assert render(suggestion_pull(rows, samples=50), "json") == render(suggestion_pull(rows[::-1], samples=50), "json")


@pytest.mark.parametrize(("shown", "lacking"), [(True, "hidden"), (False, "shown")])
def test_one_arm_alone_tells_nothing(shown: bool, lacking: str) -> None:
    with pytest.raises(UsageProblem, match=f"No coding has its suggestion {lacking}"):
        suggestion_pull([chosen(0, "SU", "SU", shown)])


def write(path: Path, rows: Iterable[Chosen], more: Iterable[dict[str, str]] = ()) -> Path:
    lines = [
        {
            "conversation_id": row.conversation,
            "codes": "+".join(row.codes),
            "suggested": "+".join(row.suggested),
            "suggestion": "shown" if row.shown else "hidden",
            "seconds": "" if row.seconds is None else str(row.seconds),
        }
        for row in rows
    ]
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, (*COLUMNS, "suggestion", "suggested", "seconds"), restval="")
        table.writeheader()
        table.writerows([*lines, *more])
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["bias", *map(str, arguments)])


def test_the_command(tmp_path: Path) -> None:
    rows = simulated(0.3)
    path = write(tmp_path / "codes.csv", rows, [{"conversation_id": "c0", "codes": "OQ", "suggestion": "none"}])
    assert read_choices([path]) == (rows, 1)
    told = run(path, "--samples", 200)
    assert told.exit_code == 0
    assert "SU" in told.output and "STRONG" in told.output and "--silent SU" in told.output
    assert "--silent" not in run(path, "--samples", 200, "--limit", 0.9).output
    found = json.loads(run(path, "--samples", 200, "--as", "json").output)
    assert (found["silent"], found["without"], found["limit"]) == (["SU"], 1, 0.1)
    target = tmp_path / "report.md"
    assert run(path, "--samples", 20, "--as", "markdown", "-o", target).exit_code == 0
    assert target.read_text().count("| SU ") == 1


def test_times_that_are_no_times_of_people_are_numbers_all_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "codes.csv", [chosen(i, "SU", "SU", i % 2 == 0, 1e20 if i else None) for i in range(8)])
    path.write_text(path.read_text().replace("1e+20", "1" + "0" * 20))
    assert run(path, "--samples", 20).exit_code == 0


def test_files_that_say_nothing_of_suggestions(tmp_path: Path) -> None:
    path = write(tmp_path / "codes.csv", [], [{"conversation_id": "c0", "codes": "OQ", "suggestion": "seen"}])
    assert "codes.csv:2: suggestion: must be one of shown, hidden, none, unknown" in str(run(path).exception)
    path = write(tmp_path / "codes.csv", [chosen(0, "SU", "SU", True)], [])
    path.write_text(path.read_text().replace("SU", "XX"))
    assert "codes.csv:2: codes: must be codes of the codebook" in str(run(path).exception)
    path.write_text("conversation_id,codes\nc0,SU\n")
    assert str(run(path).exception) == (
        f"{path}:1: no columns suggestion, suggested, seconds. Expected columns: conversation_id, codes, suggestion, "
        "suggested, seconds. mi-code studio pull writes such files; files of codes that did not come from Label Studio "
        "have no suggestions."
    )
