"""`mi-code demo`: a first look, on chats that come with the package."""

from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING

import click

from mi_coder.cli.blas import keep_blas_to_one_thread
from mi_coder.cli.options import force_option
from mi_coder.cli.progress import summary
from mi_coder.cli.target import new_file
from mi_coder.errors import UsageProblem

if TYPE_CHECKING:
    from mi_coder.conversation import Conversation, Message

_SHOWN = 2
_WIDTH, _NARROWEST = 100, 60
_COLUMN = 34


@click.command(epilog="Example:  mi-code demo -o demo.tagged.jsonl")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo.tagged.jsonl"),
    show_default=True,
    help="Where the coded chats go; the report is written beside it as NAME.report.html. The files of an earlier demo "
    "are replaced.",
)
@force_option("Overwrite any other existing file.")
def command(output: Path, force: bool) -> None:
    """Code twelve invented chats, show two of them (? = a person should look), and write a report about all."""
    keep_blas_to_one_thread()
    from mi_coder.batch.interrupt import Stop
    from mi_coder.batch.options import TagOptions
    from mi_coder.batch.output import check_output
    from mi_coder.batch.paths import STDIO, RunPaths
    from mi_coder.batch.problems import RunProblem
    from mi_coder.batch.run import tag_file
    from mi_coder.formats import AS_CODED, read_conversations
    from mi_coder.formats.atomic import atomic_file
    from mi_coder.measures.groups import ALL
    from mi_coder.measures.profile import profile
    from mi_coder.measures.reading import read_chats
    from mi_coder.measures.words import CORRECTED
    from mi_coder.report.build import ReportOptions, build_report
    from mi_coder.tagger.tagger import Tagger

    if str(output) == STDIO:
        raise UsageProblem("The demo shows its chats by itself. Name a file for the coded chats with -o.")
    check_output(output)
    page = output.with_name(output.name.partition(".")[0] + ".report.html")
    again = output.is_file() and _is_of_a_demo(output)
    new_file(page, force, ours=lambda _: again)
    paths = RunPaths(str(_chats()), new_file(output, force, [_chats()], _is_of_a_demo))
    try:
        outcome = tag_file(paths, Tagger.load(), TagOptions(force=True), lambda reached, counts: None, Stop())
    except RunProblem as problem:
        raise UsageProblem(f"{problem} Choose another file with -o, or run the demo again.") from problem
    click.echo(
        "Codes and their probability stand before each message; ? = a person should look. mi-code codebook lists the "
        "codes.\n"
    )
    conversations = read_conversations(output, AS_CODED)
    for conversation, _ in zip(conversations, range(_SHOWN), strict=False):
        click.echo("\n".join(_lines(conversation)))
        click.echo()
    click.echo(summary(outcome.counts, str(output), ""))
    click.echo()
    click.echo(profile(read_chats(str(output)), [ALL]).summary())
    options = ReportOptions(counselor="counselor_id", validation=str(output), title="The demo chats")
    with atomic_file(page) as file:
        file.write(build_report([str(output)], options).encode())
    click.echo(
        "Brackets are 95% intervals over conversations.\n\n"
        f"Open {page} in a browser. It shows use of codes, counselors, order in chats and the tagger's quality.\n"
        f"In the report, figures with {CORRECTED} are corrected for the tagger's errors; those above are not."
    )
    click.echo("Next:  mi-code tag YOUR_CHATS.jsonl    What a code means:  mi-code codebook REF")


def _is_of_a_demo(output: Path) -> bool:
    """Whether the sidecar of a file says that it was made from the demo chats."""
    from mi_coder.batch.journal import fingerprint_of
    from mi_coder.batch.meta import read_meta
    from mi_coder.batch.paths import RunPaths

    meta = read_meta(RunPaths(str(_chats()), output).meta)
    return meta is not None and meta.fingerprint.input.get("ends") == fingerprint_of(str(_chats()))["ends"]


def _chats() -> Path:
    """The demo chats: inside an installed package, or in the checkout."""
    packaged = Path(__file__).parents[1] / "demo.jsonl"
    return packaged if packaged.is_file() else Path(__file__).parents[2] / "annotations" / "practice" / "demo.jsonl"


def _lines(conversation: "Conversation") -> list[str]:
    width = min(_WIDTH, max(_NARROWEST, get_terminal_size((_WIDTH, 24)).columns))
    lines = [f"--- {conversation.id}: {conversation.extra.get('topic', '')}"]
    for message in conversation.messages:
        margin = f"{message.role:9} {_codes(message):{_COLUMN - 10}}"
        lines.append(fill(message.text, width, initial_indent=margin, subsequent_indent=" " * _COLUMN))
    return lines


def _codes(message: "Message") -> str:
    if message.coding is None:
        return ""
    shown = " ".join(f"{code} {message.coding.scores[code]:.0%}" for code in message.coding.codes)
    return shown + (" ?" if message.coding.review else "")
