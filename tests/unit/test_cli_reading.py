"""The options that verbs share."""

from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from mi_coder.cli import coding
from mi_coder.cli.main import group
from mi_coder.cli.options import Group, choice, grouped, section
from mi_coder.cli.reading import FORMATS, Reading, reading_options
from mi_coder.errors import UsageProblem
from mi_coder.formats import FORMATS as READABLE
from mi_coder.formats import ReadOptions
from mi_coder.tagger.config import MAX_CONTEXT


def read_with(*args: str) -> Reading:
    taken: list[Reading] = []

    @click.command()
    @click.argument("name")
    @reading_options()
    def command(name: str, reading: Reading) -> None:
        taken.append(reading)

    done = CliRunner().invoke(command, ["x", *args], standalone_mode=False)
    if done.exception:
        raise done.exception
    return taken[0]


def test_what_is_written_here_for_a_quick_help_is_what_holds() -> None:
    assert FORMATS == READABLE
    assert coding._MOST_CONTEXT == MAX_CONTEXT


def test_the_defaults_are_those_of_the_reader() -> None:
    assert read_with().options() == ReadOptions()
    assert read_with().options(overwrite=True) == ReadOptions(overwrite=True)


def test_every_option_reaches_the_reader() -> None:
    given = read_with("--format", "csv", "--role", "peer=counselor", "--duplicates", "keep", "--max-line-bytes", "1KiB")
    options = given.options()
    assert (options.format, options.duplicates, options.max_line_bytes) == ("csv", "keep", 1024)
    assert options.roles.role("Peer") == "counselor"
    assert not read_with("--no-csv-guard").options().csv_guard


def test_names_that_do_not_exist_suggest_the_nearest() -> None:
    with pytest.raises(click.BadParameter, match="Did you mean 'chat-text'"):
        read_with("--format", "chattext")
    with pytest.raises(UsageProblem, match="Did you mean 'counselor'"):
        read_with("--role", "peer=councelor").options()


def test_a_group_of_options_is_one_argument() -> None:
    @dataclass(frozen=True)
    class Size:
        width: int
        unit: str

    options = (click.option("--width", type=int, default=1), choice("--unit", values=["cm", "in"], help="Unit."))

    @click.command()
    @click.option("--name")
    @grouped("size", Size, *options)
    def command(name: str, size: Size) -> None:
        click.echo(f"{name} {size.width} {size.unit}")

    assert CliRunner().invoke(command, ["--width", "3", "--name", "a"]).stdout == "a 3 cm\n"
    help_text = CliRunner().invoke(command, ["--help"]).stdout
    assert help_text.index("--name") < help_text.index("--width") < help_text.index("--unit")


def test_the_help_lists_options_in_their_sections_and_first_those_in_none() -> None:
    measure = section("What is measured")

    @click.group(cls=Group)
    def verbs() -> None:
        pass

    @verbs.command()
    @measure("--width", help="Of the box.")
    @choice("--unit", values=["cm", "in"], help="Of length.", option=measure)
    @click.option("--name", help="Of the box.")
    def command(width: str, unit: str, name: str) -> None:
        pass

    shown = CliRunner().invoke(verbs, ["command", "--help"]).stdout
    options, measured = shown.split("Options:")[1].split("What is measured:")
    assert options.split() == [
        "--name",
        "TEXT",
        "Of",
        "the",
        "box.",
        "--help",
        "Show",
        "this",
        "message",
        "and",
        "exit.",
    ]
    assert [line.split()[0] for line in measured.splitlines() if line] == ["--width", "--unit"]


@pytest.mark.parametrize(
    "arguments", [["tag"], ["train"], ["studio", "push"], ["sample", "draw"], ["corpora", "stats"]]
)
def test_how_chats_are_read_is_a_section_of_the_help(arguments: list[str]) -> None:
    shown = CliRunner().invoke(group, [*arguments, "--help"]).stdout
    assert shown.index("Options:") < shown.index("\nHow chats are read:") < shown.index("--text-field")
