"""`mi-code agreement`: from files of codes to figures."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mi_coder.annotation.codings import read_units
from mi_coder.cli.main import group
from mi_coder.codebook import Codebook
from mi_coder.corpora.standoff import COLUMNS, text_hash
from mi_coder.errors import UsageProblem


def codes(path: Path, *rows: str, coder: str = "a") -> Path:
    """A stand-off file; a row is `conversation index codes`."""
    lines = [",".join(COLUMNS)]
    for row in rows:
        conversation, index, given = row.split()
        lines.append(f"{conversation},{index},{text_hash(conversation + index)},{given},,,,3,{coder},1")
    path.write_text("\n".join(lines) + "\n")
    meta = {"codebook": Codebook.load().hash, "coder": "somebody", "unit": "message"}
    path.with_name(path.name + ".meta.json").write_text(json.dumps(meta))
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    one = codes(tmp_path / "one.csv", "c 0 INT+OQ", "c 2 CQ", "d 1 SU", "d 3 GR")
    other = codes(tmp_path / "other.csv", "c 0 INT+OQ", "c 2 OQ", "d 1 SU", coder="b")
    return [one, other]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["agreement", *map(str, arguments)])


def test_figures_of_messages_that_were_coded_twice(files: list[Path]) -> None:
    done = run(*files, "--as", "json")
    figures = json.loads(done.stdout)
    assert (figures["messages"], figures["exact"]) == (3, pytest.approx(2 / 3))
    rows = {row["name"]: row for row in figures["rows"]}
    assert rows["OQ"]["alpha"] == pytest.approx(1 - 5 * 1 / (3 * 3))
    assert rows["SU"]["verdict"] == "reliable"
    assert rows["IP"]["alpha"] is None


@pytest.mark.parametrize(("style", "begins"), [("table", "code  "), ("markdown", "| code ")])
def test_tables(files: list[Path], style: str, begins: str) -> None:
    lines = run(*files, "--as", style).stdout.splitlines()
    assert lines[0] == "3 messages of 2 conversations coded at least twice; 67% of the pairs have the very same codes."
    assert lines[2].startswith(begins)
    assert len(lines) == 4 + 23


def test_one_coding_alone_is_refused(files: list[Path]) -> None:
    done = run(files[0])
    assert isinstance(done.exception, UsageProblem)
    assert "No message is coded twice" in str(done.exception)


def test_codings_that_cannot_be_compared_are_named(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"again\.csv: conversation 'c', message 0: coder 'a' codes it twice"):
        read_units([files[0], codes(tmp_path / "again.csv", "c 0 INT")])
    changed = codes(tmp_path / "changed.csv", "c 2 CQ", coder="z")
    changed.write_text(changed.read_text().replace(text_hash("c2"), text_hash("another")))
    with pytest.raises(UsageProblem, match="message 2: the other coding is of another text"):
        read_units([files[0], changed])
