"""The program `mi-code`. A command's module is imported only when the command is used."""

import io
import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from mi_coder.cli.target import show
from mi_coder.errors import MiCoderError, did_you_mean

VERBS = {
    "demo": "Code the demo chats and show them.",
    "tag": "Code the counselor messages of chats.",
    "codebook": "List and explain the codes, or export them.",
    "evaluate": "Compare codes with gold codes, per code and with intervals.",
    "agreement": "Compare codings of the same messages: Krippendorff's alpha per code.",
    "adjudicate": "Settle codings that differ: by a rule, or by a person in Label Studio.",
    "bias": "Measure the influence of shown suggestions on coders, per code.",
    "sample": "Choose what to code next, and whether to continue coding.",
    "studio": "Code in Label Studio: make a project, send chats, fetch the codes.",
    "profile": "Profile technique use by counselor, period or chat.",
    "report": "One page about tagged chats: codes, counselors over time, order, quality.",
    "relate": "Relate technique use to ratings and symptoms, as a study file says.",
    "match": "Compare chats with much and little of a technique after matching them.",
    "experience": "Relate technique use to counselors' experience.",
    "power": "Plan how many chats and gold chats a study needs.",
    "corpora": "Turn public corpora into chats with gold codes.",
    "train": "Train a tagger on gold codes.",
    "adapt": "Train an encoder further on chats without codes.",
}
EPILOG = """\b
Start:  mi-code demo    Then:  mi-code tag transcripts.jsonl
Completion:  eval "$(_MI_CODE_COMPLETE=bash_source mi-code)"    (or zsh_source, fish_source)
"""
_FAULT = 1
_CLOSED_STDOUT = 141
_BUNDLED_CONFIG = Path(__file__).parents[1] / "tagger" / "default" / "config.json"


class _ClosedStdout(Exception):
    """Whoever read standard output has gone. Click would take a BrokenPipeError for itself and leave with 1."""


class _Verbs(click.Group):
    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(context, args or ["--help"])

    def list_commands(self, context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        return import_module(f"mi_coder.cli.{name}").command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:
            raise _ClosedStdout from None

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            raise click.UsageError(error.message + did_you_mean(args[0], VERBS), error.ctx) from None


def _show_version(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from mi_coder import __version__

        model = _bundled_model()
        click.echo(f"mi-code {__version__}" + (f" (bundled model {model})" if model else ""))
        context.exit()


def _bundled_model() -> str:
    """Name and version of the bundled model, read without the modules that load it; empty where it is not there."""
    import json

    try:
        config = json.loads(_BUNDLED_CONFIG.read_bytes())
    except OSError:
        return ""
    return f"{config['name']} {config['version']}"


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version of the program and of the bundled model.",
)
def group() -> None:
    """Code counselor chat messages with Motivational Interviewing techniques.

    Nothing leaves this machine except what `mi-code studio` and `mi-code adjudicate` send to your own Label Studio.
    """


def entry() -> NoReturn:
    """The program `mi-code`: `main`, and a quick way out.

    Python would first take the model and all modules apart, a tenth of the CPU time of coding one chat.
    """
    code = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def main() -> None:
    """Run the command line; every problem becomes one message and an exit code.

    What the terminal or pipe has no letter for is shown as "?". Data are not shown but written, as UTF-8.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        # On Windows click would resolve patterns, and `tag` could not tell what a pattern found from what was named.
        group.main(standalone_mode=False, windows_expand_args=sys.argv[1:2] != ["tag"])
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Abort:
        _leave("Interrupted.", 130)
    except KeyboardInterrupt:
        _leave("Interrupted.", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except MiCoderError as error:
        _leave(f"Error: {error}", error.exit_code)
    except (_ClosedStdout, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_CLOSED_STDOUT)
    except OSError as error:
        _leave(f"Error: {error.filename or 'reading or writing'}: {error.strerror or type(error).__name__}.", 2)
    except Exception as error:
        _leave(_fault(error), _FAULT)


def _fault(error: Exception) -> str:
    """What to say of an error that nobody foresaw: its kind and place only, since its own words may quote a message."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"Error: {type(error).__name__} in {Path(place.filename).name}, line {place.lineno}. "
        "This is a fault of mi-code; please report it with this line."
    )


def _leave(message: str, code: int) -> None:
    show(message, err=True)
    sys.exit(code)
