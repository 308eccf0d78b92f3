"""`mi-code adjudicate`: one gold coding where coders differ."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mi_coder.cli.blas import keep_blas_to_one_thread
from mi_coder.cli.label_studio import InOrder, connect, end_with_problems, overlay_option, read_own, some, url_option
from mi_coder.cli.options import Decorator, choice, force_option
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.target import new_files, show
from mi_coder.errors import UsageProblem

if TYPE_CHECKING:
    from mi_coder.annotation.codings import Unit
    from mi_coder.annotation.consensus import Rule
    from mi_coder.annotation.dawid_skene import CodeEstimate
    from mi_coder.annotation.settled import Settled, Source

_EXAMPLES = """\b
Examples:
  mi-code adjudicate settle ann.csv ben.csv cho.csv -o gold.csv --open open.txt
  mi-code adjudicate push "Night shift: disagreements" chats.jsonl ann.csv ben.csv
  mi-code adjudicate pull "Night shift: disagreements" ann.csv ben.csv \\
      -o gold.csv --log reasons.jsonl
"""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW = click.Path(dir_okay=False, path_type=Path)

_codes = click.argument("codes", nargs=-1, required=True, type=_FILE)


def _outputs(command: Any) -> Any:
    """The options for what settle and pull write."""
    options: Sequence[Decorator] = (
        click.option("-o", "--output", required=True, type=_NEW, help="File for the settled codes (CSV, no text)."),
        click.option("--log", type=_NEW, help="File for the reasons: one JSON object per line and message."),
        click.option(
            "--open", "still_open", type=_NEW, help="File for the ids of the messages that stay open, one per line."
        ),
        force_option("Overwrite files that exist."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(epilog=_EXAMPLES, cls=InOrder)
def command() -> None:
    """Make one gold coding where coders differ: by a rule, or by a person in Label Studio.

    CODES are files with codings of the same messages by several coders or in several rounds: either files of codes (CSV
    with the columns conversation_id, index and codes, as `mi-code studio pull` writes) or chats whose messages have a
    field gold.
    """


@command.command(
    epilog="""\b
Example:
  mi-code adjudicate settle codes.csv -o gold.csv \\
      --log reasons.jsonl --open open.txt
"""
)
@_codes
@choice(
    "--rule", values=["majority", "unanimous", "dawid-skene"], help="Rule by which a message is settled, see above."
)
@click.option(
    "--sure",
    default=0.9,
    show_default=True,
    type=click.FloatRange(0.5, 1, min_open=True),
    help="With --rule dawid-skene: probability from which a code is present; at 1 minus it or below, it is absent.",
)
@click.option(
    "--rates", type=_NEW, help="With --rule dawid-skene: file for how often each coder is right, per code (CSV)."
)
@_outputs
def settle(
    codes: tuple[Path, ...],
    rule: "Rule",
    sure: float,
    rates: Path | None,
    output: Path,
    log: Path | None,
    still_open: Path | None,
    force: bool,
) -> None:
    """Settle the codings in CODES by a rule, without a server.

    \b
    majority     codes that more than half of the codings have
    unanimous    only messages whose codings are all the same
    dawid-skene  codes that are probable, given how often each coder is
                 right as estimated from the codings themselves
                 (Dawid and Skene 1979); needs three coders or more

    Depth, permission, reason and codes of your own are settled by majority. A tie stays open, and so does a message
    that is left with no code or with more than three. Codings that are all the same, and messages with one coding, are
    taken as they are; the column coder says which of the two it was (settled:agreed, settled:single).
    """
    keep_blas_to_one_thread()
    from mi_coder.annotation.consensus import settle as settle_by
    from mi_coder.annotation.dawid_skene import code_estimates
    from mi_coder.annotation.settled import Settled, read_units_and_sources

    if rates and rule != "dawid-skene":
        raise UsageProblem("--rates goes with --rule dawid-skene.")
    new_files((output, log, still_open, rates), force, codes)
    click.echo("reading the codings ...", err=True)
    units, sources = read_units_and_sources(codes)
    _say_about(codes, units)
    estimates = code_estimates(units, _say_code) if rule == "dawid-skene" else []
    click.echo(f"settling {len(units):,} messages ...", err=True)
    now = _now()
    settled = [
        Settled(
            one.unit,
            one.gold,
            one.how,
            f"settled:{one.how}",
            one.unit.confidence,
            one.why,
            now,
            own=one.own,
        )
        for one in settle_by(units, rule, estimates, sure)
    ]
    if rates:
        _write_rates(rates, estimates)
    _write(settled, sources, output, log, still_open)
    if restless := [one.code for one in estimates if not one.converged]:
        click.echo(f"The estimate did not converge for {', '.join(restless)}.", err=True)
    if any(one.gold is None for one in settled):
        only = f"{' '.join(map(str, codes))} --only {still_open or 'FILE'}"
        click.echo(f"Decide the rest:  mi-code adjudicate push TITLE CHATS {only}", err=True)


@command.command(
    epilog="""\b
Example:
  mi-code adjudicate push "Night shift: disagreements" \\
      chats.jsonl ann.csv ben.csv
"""
)
@click.argument("title")
@click.argument("chats")
@_codes
@click.option("--only", type=_FILE, help="Send only these messages: the file written by --open or by `mi-code sample`.")
@click.option(
    "--key",
    type=_NEW,
    help="File that says who gave coding A, B, ...  Default: adjudication-N.key.json, N the project.",
)
@click.option(
    "--context", default=12, show_default=True, type=click.IntRange(0, 200), help="Earlier messages shown above each."
)
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of the order of the codings."
)
@overlay_option
@url_option
@reading_options()
def push(
    title: str,
    chats: str,
    codes: tuple[Path, ...],
    only: Path | None,
    key: Path | None,
    context: int,
    seed: int,
    overlay: Path | None,
    url: str,
    reading: Reading,
) -> None:
    """Make a project of the messages on which CODES differ.

    The project gets the title TITLE; CHATS have the texts of the messages. The adjudicator sees the codings as
    "Coding A", "Coding B" in an order drawn at random for each message, and not who gave them; that is in the key,
    which stays on this machine. Nothing is filled in beforehand. If a push is interrupted, run the same command again
    to resume it.
    """
    from mi_coder.annotation.adjudication import (
        SETTINGS,
        check_own,
        check_project,
        check_texts,
        key_of,
        merged,
        read_key,
        with_codings,
        write_key,
    )
    from mi_coder.annotation.codings import read_units
    from mi_coder.annotation.consensus import disagreements
    from mi_coder.annotation.label_config import label_config
    from mi_coder.annotation.project import create_or_update
    from mi_coder.annotation.push import push as send
    from mi_coder.annotation.push import texts_on_server
    from mi_coder.annotation.sample_file import read_ids, unmatched
    from mi_coder.annotation.settled import read_sources
    from mi_coder.annotation.tasks import tasks
    from mi_coder.codebook import Codebook

    client = connect(url)
    own = read_own(overlay)
    named = read_ids(only) if only else None
    coded = read_units(codes)
    if only and named is not None and (strange := unmatched(only, named, {unit.id for unit in coded})):
        click.echo(f"{only}: {len(strange)} ids are not those of a coded message: {some(strange)}", err=True)
    units = [unit for unit in disagreements(coded) if named is None or unit.id in named]
    if not units:
        raise UsageProblem(
            "The codings do not differ on any message: there is nothing to adjudicate. Use `adjudicate settle`."
        )
    check_own(units, own.ids if own else ())
    _say_about(codes, coded)
    pending = list(tasks(reading.conversations([chats]), context, frozenset(unit.id for unit in units)))
    check_texts(pending, units, read_sources(codes))
    ready = list(with_codings(pending, units, seed))
    check_project(client, title)
    project = create_or_update(client, title, label_config(Codebook.load(), own), **SETTINGS).project
    path = key or Path(f"adjudication-{project.id}.key.json")
    letters = key_of(units, project.id, seed)
    if path.exists():
        letters = merged(letters, read_key(path), texts_on_server(client, project.id).hashes)
    write_key(path, letters)
    result = send(client, project.id, ready, progress=lambda sent: click.echo(f"{sent} sent", err=True))
    click.echo(
        f"project {project.id}: {result.sent} disagreements sent, {result.there} were there already; key: {path}"
    )
    if result.other_text:
        click.echo(
            f"The project has another text for these messages, which stays as it is: {some(result.other_text)}",
            err=True,
        )
    click.echo(f"Decide them:  {client.url}/projects/{project.id}/data?labeling=1", err=True)


@command.command(
    epilog="""\b
Example:
  mi-code adjudicate pull 7 ann.csv ben.csv \\
      -o gold.csv --log reasons.jsonl
"""
)
@click.argument("project")
@_codes
@_outputs
@url_option
def pull(
    project: str,
    codes: tuple[Path, ...],
    output: Path,
    log: Path | None,
    still_open: Path | None,
    force: bool,
    url: str,
) -> None:
    """Fetch the decisions of PROJECT and add what CODES agree on.

    A decided message gets the decision and its adjudicator. Other messages are taken as they are if all codings are the
    same. They stay open if the codings differ, if two adjudicators differ, or if the newest annotation of an
    adjudicator is not a usable coding. The log has, for each message, the codings, who decided and when, and the
    adjudicator's comment.
    """
    from mi_coder.annotation.adjudication import check_export, check_own, decided
    from mi_coder.annotation.exports import left_out, read_export
    from mi_coder.annotation.label_config import offered, schema_hash
    from mi_coder.annotation.pull import newest
    from mi_coder.annotation.settled import read_units_and_sources

    new_files((output, log, still_open), force, codes)
    client = connect(url)
    units, sources = read_units_and_sources(codes)
    _say_about(codes, units)
    there = client.project(project)
    tasks = client.export(there.id)
    check_export(tasks, there.id)
    sent = {task["data"].get("utterance_id") for task in tasks}
    check_own((unit.last_rounds() for unit in units if unit.id in sent), offered(there.config, "own"))
    export = read_export(tasks, client.users())
    last = newest([export])
    found = decided(units, last.codings, sources, _now(), last.unusable)
    _write(found.settled, sources, output, log, still_open, schema_hash(there.config))
    if found.unknown:
        click.echo(f"decided but in none of the files of codes, so left out: {some(found.unknown)}", err=True)
    if gone := [one.unit.id for one in found.settled if one.gold is None and one.unit.id not in sent]:
        click.echo(
            f"{len(gone)} open messages are not in project {there.id} (never sent, or deleted there): {some(gone)}; "
            "`mi-code adjudicate push` sends them",
            err=True,
        )
    for line in filter(None, (last.told, *left_out([export]))):
        show(line, err=True)
    end_with_problems(export.problems)


def _write(
    settled: "Sequence[Settled]",
    sources: "dict[str, Source]",
    output: Path,
    log: Path | None,
    still_open: Path | None,
    schema: str = "",
) -> None:
    from mi_coder.annotation.settled import write_gold, write_log, write_open

    write_gold(output, settled, sources, schema)
    if log:
        write_log(log, settled)
    if still_open:
        write_open(still_open, settled)
    ways = Counter(one.rule for one in settled if one.gold)
    left = [one.unit.id for one in settled if one.gold is None]
    how = ", ".join(f"{count} {way}" for way, count in ways.items())
    click.echo(f"{output}: {ways.total()} of {len(settled)} messages settled ({how or 'none'}), {len(left)} open")
    if left and not still_open:
        click.echo(f"open: {some(left)}; all of them with --open FILE", err=True)


def _say_about(codes: Sequence[Path], units: "Sequence[Unit]") -> None:
    """That texts are unchecked, that earlier rounds do not count, and which ids look alike."""
    from mi_coder.annotation.codings import earlier_rounds, look_alikes, unchecked

    for note in filter(None, (unchecked(codes), earlier_rounds(units), look_alikes(units))):
        show(note, err=True)


def _say_code(code: str, number: int, codes: int) -> None:
    click.echo(f"estimating {code}, {number} of {codes} codes ...", err=True)


def _write_rates(path: Path, estimates: "Sequence[CodeEstimate]") -> None:
    import csv
    import io

    from mi_coder.formats.atomic import atomic_file
    from mi_coder.formats.guard import guard

    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("code", "prevalence", "coder", "codings", "sensitivity", "specificity"))
    for code in estimates:
        for one in code.accuracies:
            rates = (f"{one.sensitivity:.4f}", f"{one.specificity:.4f}")
            table.writerow((code.code, f"{code.prevalence:.4f}", guard(one.coder), one.codings, *rates))
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
