"""The command `mi-code` itself: what its help loads, unknown verbs, sizes, and the options that messages name."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mi_coder import __version__
from mi_coder.cli.main import group, main
from mi_coder.cli.options import Group, Size
from mi_coder.errors import install_line
from mi_coder.tagger.config import read_config
from mi_coder.tagger.model import BUNDLED

PACKAGE = Path(__file__).resolve().parents[2] / "mi_coder"
# An option in a sentence or a usage text; not the two dashes of a table or a rule.
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")


def commands_in(command: click.Command) -> Iterator[click.Command]:
    """The command and everything under it."""
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands_in(inner)


COMMANDS = list(commands_in(group))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["tag", "--help"], ["demo", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys; from mi_coder.cli.main import group; group.main(sys.argv[1:], standalone_mode=False); "
        "heavy = {'numpy', 'onnxruntime', 'tokenizers', 'msgspec', 'pyarrow'}; "
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout.startswith(("Usage: ", "mi-code "))


def test_alone_it_says_what_to_do_next_and_how_to_complete_words() -> None:
    done = CliRunner().invoke(group, [])
    assert done.exit_code == 0
    assert done.output == CliRunner().invoke(group, ["--help"]).output
    assert "Start:  mi-code demo" in done.stdout and "_MI_CODE_COMPLETE=bash_source mi-code" in done.stdout
    assert all(len(line) <= 100 for line in done.output.splitlines())


@pytest.mark.parametrize("columns", [60, 80])
def test_groups_list_commands_with_their_whole_first_sentence(columns: int) -> None:
    groups = [command for command in COMMANDS if isinstance(command, Group)]
    helps = [CliRunner().invoke(command, ["--help"], terminal_width=columns).output for command in groups]
    assert sum("Commands:" in told for told in helps) >= 3
    for command, told in zip(groups, helps, strict=True):
        if "Commands:" in told:
            listed = " ".join(told.partition("Commands:")[2].split())
            first = [each.get_short_help_str(limit=1000) for each in command.commands.values() if not each.hidden]
            assert first and all(" ".join(sentence.split()) in listed for sentence in first)


def test_the_version_is_that_of_the_program_and_of_the_bundled_model() -> None:
    model = read_config(BUNDLED)
    shown = CliRunner().invoke(group, ["--version"]).output
    assert shown == f"mi-code {__version__} (bundled model {model.name} {model.version})\n"


def test_an_unknown_verb_suggests_the_nearest() -> None:
    done = CliRunner().invoke(group, ["tga"])
    assert done.exit_code == 2
    assert "'tga'" in done.output
    assert "Did you mean 'tag'?" in done.output


@pytest.mark.parametrize(
    ("written", "size"),
    [("1", 1), ("1000000", 1_000_000), ("64KiB", 65_536), (" 16 mib ", 16 << 20), ("2GiB", 2 << 30), (7, 7)],
)
def test_sizes(written: str | int, size: int) -> None:
    assert Size().convert(written, None, None) == size


@pytest.mark.parametrize("written", ["", "0", "-1", "1.5MiB", "MiB", "16MB", "1025GiB", "9" * 30, "\u0664"])
def test_what_is_no_size(written: str) -> None:
    with pytest.raises(click.BadParameter, match="16MiB"):
        Size().convert(written, None, None)


def test_every_option_that_a_text_names_exists() -> None:
    parameters = [parameter for command in COMMANDS for parameter in command.params]
    of_label_studio = {"--internal-host"}
    of_pip = {"--no-deps", "--force-reinstall"}
    known = {
        "--help",
        *of_label_studio,
        *of_pip,
        *(name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)),
    }
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = set(OPTION.findall(node.value))
                assert named <= known, f"{path.name}:{node.lineno}: {named - known}"


@pytest.mark.parametrize("command", [command for command in COMMANDS if not hasattr(command, "commands")])
def test_the_help_of_every_command_has_an_example(command: click.Command) -> None:
    assert command.epilog is not None
    assert re.match(r"(\x08\n)?Examples?:\s+mi-code ", command.epilog)


@pytest.mark.parametrize(
    ("arguments", "code", "begins"),
    [(["--version"], 0, "mi-code "), (["codebook", "--export", "json"], 0, "{"), (["tga"], 2, "")],
)
def test_the_program_leaves_with_its_output_written(arguments: list[str], code: int, begins: str) -> None:
    script = "from mi_coder.cli.main import entry; entry()"
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout.startswith(begins)
    assert bool(done.stderr) == bool(code)
    if begins == "{":
        assert done.stdout.endswith("}\n")


def test_the_help_of_tag_and_its_page_name_the_same_exit_codes() -> None:
    page = (PACKAGE.parent / "docs" / "tagging.md").read_text(encoding="utf-8").partition("## Exit codes")[2]
    told = CliRunner().invoke(group, ["tag", "--help"]).output.partition("Exit codes:")[2]
    named = {code for cell in re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE) for code in cell.split(", ")}
    assert named == set(re.findall(r"\d+", told)) == {"0", "2", "3", "4", "130", "141", "143"}


@pytest.mark.parametrize(
    ("arguments", "expands"), [(["tag", "*.jsonl"], False), (["agreement", "*.csv"], True), ([], True)]
)
def test_patterns_are_left_to_tag_on_windows_too(
    arguments: list[str], expands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    monkeypatch.setattr(sys, "argv", ["mi-code", *arguments])
    monkeypatch.setattr(group, "main", lambda standalone_mode, windows_expand_args: given.append(windows_expand_args))
    main()
    assert given == [expands]


@pytest.mark.parametrize(
    ("python", "line"),
    [
        ("/a/bin/python", '/a/bin/python -m pip install "mi-coder[zstd]"'),
        ("/my env/python", '"/my env/python" -m pip install "mi-coder[zstd]"'),
    ],
)
def test_the_line_that_installs_an_extra_quotes_spaces(python: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", python)
    assert install_line("zstd") == line


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
@pytest.mark.parametrize("verb", ["profile", "tag"])
def test_a_closed_standard_error_ends_no_run(verb: str, tmp_path: Path) -> None:
    chats = {"conversation_id": "c", "messages": [{"role": "counselor", "text": "so", "codes": ["OQ"]}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(chats) + "\n")
    more = "--overwrite -o b.jsonl" if verb == "tag" else "--counts b.csv"
    command = f'"{sys.executable}" -m mi_coder {verb} a.jsonl {more} 2>&-'
    done = subprocess.run(command, shell=True, cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == 0 and list(tmp_path.glob("b.*"))
