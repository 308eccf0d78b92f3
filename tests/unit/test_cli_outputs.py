"""No verb writes over a file that is there unless it is told to: every option that may name a file to write."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mi_coder import corpora
from mi_coder.cli.main import group
from mi_coder.errors import MissingExtra, UsageProblem
from tests.chats import nested_records, write_jsonl

MINE = ("mine.csv", "mine.html", "mine.jsonl", "mine.md")

# One line for each option that names a file to write, with a file that is there.
WRITES = """
demo -o mine.jsonl
tag in.jsonl --model TINY -o mine.jsonl
tag in.jsonl --model TINY -o - --rejects mine.jsonl
codebook --export csv -o mine.csv
evaluate in.jsonl -o mine.md
agreement in.csv -o mine.csv
adjudicate settle in.csv -o mine.csv
adjudicate settle in.csv -o new.csv --log mine.jsonl
adjudicate settle in.csv -o new.csv --open mine.md
adjudicate settle in.csv -o new.csv --rule dawid-skene --rates mine.csv
adjudicate pull 7 in.csv -o mine.csv
adjudicate pull 7 in.csv -o new.csv --log mine.jsonl
adjudicate pull 7 in.csv -o new.csv --open mine.md
bias in.csv -o mine.md
sample draw in.jsonl --n 1 -o mine.csv
sample report in.csv -o mine.md
studio gold in.jsonl in.csv -o mine.jsonl
studio pull 7 -o mine.csv
profile in.jsonl -o mine.csv
profile in.jsonl --counts mine.csv
profile in.jsonl --patterns mine.csv
report in.jsonl -o mine.html
power study.yaml --width 1 --gold 1 -o mine.csv
corpora convert esconv --root . -o mine.jsonl
""".strip().splitlines()

FOLDERS = {"relate -o", "match -o", "experience -o", "train -o", "adapt -o", "studio serve --retrain"}
GONE_ON_WITH = {"adjudicate push --key"}
READ = {
    "evaluate --data",
    "evaluate --annotations",
    "report --validation",
    "report --agreement",
    "report --outcomes",
    "power --tagger",
    "corpora convert --root",
}


def leaves(command: click.Command, verb: str = "") -> Iterator[tuple[str, click.Command]]:
    """The commands that are no groups, by what is typed for them."""
    if not isinstance(command, click.Group):
        yield verb, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from leaves(inner, f"{verb} {name}".strip())


LEAVES = dict(leaves(group))


def may_write(option: click.Parameter) -> bool:
    """Whether an option names what may be there or not."""
    to_path = isinstance(option.type, click.Path) and not option.type.exists
    return isinstance(option, click.Option) and (to_path or bool({"-o", "--output"} & set(option.opts)))


def verb_of(line: str) -> str:
    return next(verb for verb in LEAVES if line.startswith(f"{verb} "))


def option_of(line: str) -> str:
    """The verb and the option whose file is there."""
    words = line.split()
    return f"{verb_of(line)} {next(before for before, word in pairwise(words) if word in MINE)}"


def test_every_option_that_may_write_is_known_here() -> None:
    found = {
        f"{verb} {option.opts[0]}" for verb, command in LEAVES.items() for option in command.params if may_write(option)
    }
    assert found == {*map(option_of, WRITES), *FOLDERS, *GONE_ON_WITH, *READ}


@pytest.mark.parametrize("verb", sorted(set(map(verb_of, WRITES))))
def test_every_verb_that_writes_a_file_has_force(verb: str) -> None:
    assert "--force" in {name for option in LEAVES[verb].params for name in option.opts}


@pytest.mark.parametrize("line", WRITES)
def test_a_file_that_is_there_is_left_alone(
    line: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "in.jsonl", nested_records(1))
    for name in ("in.csv", *corpora.info("esconv").files):
        (tmp_path / name).touch()
    (tmp_path / "study.yaml").write_text("{data: {counts: none.csv}, outcomes: [{name: rating, type: rating}]}")
    for name in MINE:
        (tmp_path / name).write_text("mine")
    before = sorted(tmp_path.iterdir())
    refused = CliRunner().invoke(group, line.replace("TINY", str(tiny)).split()).exception
    if isinstance(refused, MissingExtra):
        pytest.skip(str(refused))
    assert "exists" in str(refused) and "--force" in str(refused), repr(refused)
    assert {(tmp_path / name).read_text() for name in MINE} == {"mine"}
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("again", ["s.csv", "./s.csv", "sub/../s.csv"])
@pytest.mark.parametrize(
    "line",
    [
        "profile in.jsonl -o s.csv --patterns",
        "adjudicate settle in.csv -o s.csv --log",
        "adjudicate pull 7 in.csv -o s.csv --open",
    ],
)
def test_two_outputs_of_one_name_are_refused_before_the_work(
    line: str, again: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "in.jsonl", nested_records(1))
    (tmp_path / "in.csv").touch()
    refused = CliRunner().invoke(group, [*line.split(), again, "--force"]).exception
    assert isinstance(refused, UsageProblem) and "two of the files to write" in str(refused)
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize(
    "reading",
    ["profile IN --validation FILE --counts", "report IN --validation FILE -o", "report IN --agreement FILE -o"],
)
def test_what_stands_beside_the_chats_is_never_written(tmp_path: Path, reading: str) -> None:
    chats, beside = (write_jsonl(tmp_path / name, nested_records(1)) for name in ("in.jsonl", "beside.jsonl"))
    before = beside.read_bytes()
    arguments = reading.replace("IN", str(chats)).replace("FILE", str(beside)).split()
    assert "is an input" in str(CliRunner().invoke(group, [*arguments, str(beside), "--force"]).exception)
    assert beside.read_bytes() == before
