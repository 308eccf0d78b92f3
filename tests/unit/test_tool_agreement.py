"""The page of the agreement of two codings: what it holds, and when it is stale."""

import json
from pathlib import Path

import pytest

from mi_coder.codebook import Codebook
from mi_coder.corpora.splits import Split, render_splits
from mi_coder.corpora.standoff import COLUMNS, text_hash
from tools import agreement as tool

FIRST = {"a": ["OQ", "SU"], "b": ["CQ", "SU"]}
SECOND = {"a": ["OQ", "SU"], "b": ["OQ", "SU"]}


def write(path: Path, chats: dict[str, list[str]], coder: str) -> None:
    lines = [",".join(COLUMNS)]
    for name, codes in chats.items():
        lines += [f"{name},{i},{text_hash(f'{name}{i}')},{code},,,,3,{coder},1" for i, code in enumerate(codes)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    meta = {"codebook": Codebook.load().hash, "coder": "somebody", "unit": "message"}
    path.with_name(path.name + ".meta.json").write_text(json.dumps(meta))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with two codings of ESConv and of practice chats, of which b is in the test part."""
    for corpus in ("esconv", "practice"):
        write(tmp_path / "annotations" / corpus / "round1.csv", FIRST, "ann")
        write(tmp_path / "annotations" / corpus / "round2.csv", SECOND, "ben")
    write(tmp_path / "annotations" / "mibot" / "round1.csv", FIRST, "ann")
    parts = [
        Split("practice", "a", "a", "train"),
        Split("practice", "b", "b", "test"),
        Split("esconv", "b", "g", "dev"),
    ]
    (tmp_path / tool.SPLITS).write_text(render_splits(parts))
    return tmp_path


def sections(root: Path) -> dict[str, str]:
    _, *parts = tool.render(root, samples=20).split("\n## ")
    return dict(part.split("\n\n", 1) for part in parts)


def test_every_corpus_has_its_section(root: Path) -> None:
    found = sections(root)
    assert list(found) == [one.title for one in tool.COMPARED]
    for title in ("ESConv", "Practice chats"):
        assert found[title].startswith("4 messages of 2 conversations coded at least twice; 75% of the pairs")
        assert "| OQ " in found[title]
    assert found["MIBot"].strip() == "No second coding."


def test_the_test_part_is_that_of_the_splits(root: Path) -> None:
    assert sections(root)["Practice chats, test part"].startswith(
        "2 messages of 1 conversations coded at least twice; 50%"
    )


def test_how_to_read_it_stands_there_once(root: Path) -> None:
    assert tool.render(root, samples=20).count("Reading, by the lower end of alpha's interval:") == 1


def test_a_stale_page_is_named_and_mended(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--check"], root) == 1
    assert "stale: annotations/agreement.md  (run: python tools/agreement.py)" in capsys.readouterr().err
    assert not (root / tool.PAGE).exists()
    assert tool.main([], root) == 0
    assert tool.main(["--check"], root) == 0
    write(root / "annotations" / "esconv" / "round2.csv", FIRST, "ben")
    assert tool.main(["--check"], root) == 1


def test_codes_that_cannot_be_read_are_explained(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root / "annotations" / "mibot" / "round2.csv", {"a": ["XX"]}, "ben")
    assert tool.main(["--check"], root) == 2
    assert "round2.csv" in capsys.readouterr().err
