"""`mi-code codebook`."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mi_coder.annotation.label_config import label_config
from mi_coder.cli.codebook import command
from mi_coder.codebook import Codebook
from mi_coder.codebook_export import explain, to_csv, to_json, to_markdown
from mi_coder.errors import UnknownName, UsageProblem

BOOK = Codebook.load()


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(command, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def first_words(output: str) -> list[str]:
    return [line.split()[0] for line in output.splitlines() if line]


def test_list_has_a_line_per_code_with_hotkey_set_name_and_definition() -> None:
    lines = run().stdout.splitlines()
    assert lines[0].split() == ["id", "key", "set", "name", "definition"]
    assert len(lines) == 22
    for line, code in zip(lines[1:], BOOK.codes, strict=True):
        assert line.split()[:3] == [code.id, code.hotkey, code.set]
        assert line.endswith(code.definition) and code.name in line


def test_list_of_a_set() -> None:
    assert first_words(run("--set", "platform").stdout)[1:] == ["SU", "IP", "CC", "OT"]
    assert first_words(run("--set", "shah17").stdout)[1:] == list(BOOK.subset("shah17"))


def test_list_by_group_shows_each_code_once_under_its_side() -> None:
    blocks = {block.splitlines()[0]: first_words(block)[2:] for block in run("--group", "misc").stdout.split("\n\n")}
    assert blocks["adherent"] == ["OQ", "REF", "AF", "EA", "SC", "SU"]
    assert blocks["depends on permission"] == ["PR", "RC"]
    assert sorted(code for codes in blocks.values() for code in codes) == sorted(BOOK.ids)


@pytest.mark.parametrize("name", ["OQ", "oq", "open QUESTION"])
def test_explains_a_code(name: str) -> None:
    assert run(name).stdout == explain(BOOK, BOOK["OQ"])


def test_explains_several_codes() -> None:
    output = run("WA", "raise concern").stdout
    assert output.index("### WA: Warn") < output.index("### RC: Raise concern")


@pytest.mark.parametrize(
    ("name", "render"),
    [("markdown", to_markdown), ("json", to_json), ("csv", to_csv), ("label-studio", label_config)],
)
def test_exports(name: str, render: Callable[[Codebook], str], tmp_path: Path) -> None:
    assert run("--export", name).stdout == render(BOOK)
    target = tmp_path / "book"
    written = run("--export", name, "-o", str(target))
    assert target.read_bytes() == render(BOOK).encode()
    assert written.stdout == "" and str(target) in written.stderr


def test_an_export_writes_over_a_file_only_when_forced(tmp_path: Path) -> None:
    target = tmp_path / "new" / "book.csv"
    run("--export", "csv", "-o", str(target))
    target.write_text("mine")
    with pytest.raises(UsageProblem, match="--force"):
        run("--export", "csv", "-o", str(target))
    assert target.read_text() == "mine"
    run("--export", "csv", "-o", str(target), "--force")
    assert target.read_bytes() == to_csv(BOOK).encode()


def test_translates_labels() -> None:
    lines = dict(line.split(":", 1) for line in run("--translate", "esconv", "Questions").stdout.splitlines())
    assert lines["applies"].strip() == "-"
    assert lines["at least one of"].strip() == "OQ CQ"
    assert lines["does not apply"].split() == ["REF", "AF", "PR", "GI", "PD", "SU"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-o", "x"], "-o needs --export"),
        (["OQ", "--export", "csv"], "whole codebook"),
        (["--export", "csv", "--set", "MI"], "whole codebook"),
        (["OQ", "--group", "misc"], "--set and --group"),
        (["--translate", "esconv"], "Providing Suggestions"),
        (["--export", "csv", "-o", "/dev/null"], "is a folder, pipe or device"),
        (["--export", "csv", "-o", "/dev/null/x.csv"], "cannot be written"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(arguments: list[str], complaint: str) -> None:
    with pytest.raises(UsageProblem, match=complaint):
        run(*arguments)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["Reflektion"], "Reflection"),
        (["--set", "shah71"], "shah17"),
        (["--group", "mist"], "miti"),
        (["--translate", "esconv", "Informations"], "Information"),
    ],
)
def test_unknown_names_suggest_the_nearest(arguments: list[str], meant: str) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean '{meant}'"):
        run(*arguments)


def test_help_has_examples() -> None:
    assert "mi-code codebook OQ" in run("--help").stdout


def test_imports_nothing_heavy() -> None:
    script = (
        "import sys; from mi_coder.cli.codebook import command; command(['--export', 'csv'], standalone_mode=False); "
        "heavy = {'numpy', 'onnxruntime', 'tokenizers', 'yaml', 'torch', 'pandas'}; "
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
