"""`mi-code adjudicate`: one gold coding where coders differ."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mi_coder.cli.label_studio import connect, end_with_problems, overlay_option, read_own, some, url_option
from mi_coder.cli.options import Decorator, Group, choice, force_option
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.target import new_files
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
  mi-code adjudicate pull "Night shift: disagreements" ann.csv ben.csv -o gold.csv --log reasons.jsonl
"""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW = click.Path(dir_okay=False, path_type=Path)

_codes = click.argument("codes", nargs=-1, required=True, type=_FILE)


def _outputs(command: Any) -> Any:
    """The options for what settle and pull write."""
    options: Sequence[Decorator] = (
        click.option("-o", "--output", required=True, type=_NEW, help="File for the settled codes (CSV, no text)."),
        click.option("--log", type=_NEW, help="File for the reasons: a JSON object a line for each message."),
        click.option("--open", "still_open", type=_NEW, help="File for the ids of what stays open, one a line."),
        force_option("Write over files that are there."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(epilog=_EXAMPLES, cls=Group)
def command() -> None:
    """One gold coding where coders differ: by a rule, or by a person in Label Studio.

    CODES are files with codings of the same messages by several coders or in several rounds: codes apart from the texts
    (CSV with the columns conversation_id, index and codes, such as `mi-code studio pull` writes it) or chats whose
    messages carry a field gold.
    """


@command.command(epilog="Example:  mi-code adjudicate settle codes.csv -o gold.csv --log reasons.jsonl --open open.txt")
@_codes
@choice("--rule", values=["majority", "unanimous", "dawid-skene"], help="What settles a message, see above.")
@click.option(
    "--sure",
    default=0.9,
    show_default=True,
    type=click.FloatRange(0.5, 1, min_open=True),
    help="Dawid-skene: probability from which a code is present; from 1 minus it down it is absent.",
)
@click.option("--rates", type=_NEW, help="Dawid-skene: file for how often each coder is right, per code (CSV).")
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
    majority     a code that more than half of the codings have
    unanimous    only messages whose codings are all the same
    dawid-skene  a code that is likely, by how often each coder is right as the codings themselves tell (Dawid and
                 Skene 1979); needs three coders or more

    Depth, permission, reason and codes of your own go by majority. A tie stays open, as does a message whose codes
    come to nothing, or to more than three. Codings that are all the same, and messages with one coding, are taken as
    they are; the column coder tells them apart (settled:agreed, settled:single).
    """
    from mi_coder.annotation.codings import read_units
    from mi_coder.annotation.consensus import settle as settle_by
    from mi_coder.annotation.dawid_skene import code_estimates
    from mi_coder.annotation.settled import Settled, read_sources

    if rates and rule != "dawid-skene":
        raise UsageProblem("--rates goes with --rule dawid-skene.")
    new_files((output, log, still_open, rates), force, codes)
    sources = read_sources(codes)
    units = read_units(codes)
    _say_about(codes, units)
    estimates = code_estimates(units, _say_code) if rule == "dawid-skene" else []
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
        click.echo(f"The estimate did not come to rest for {', '.join(restless)}.", err=True)
    if any(one.gold is None for one in settled):
        click.echo(f"Decide the rest:  mi-code adjudicate push TITLE CHATS {' '.join(map(str, codes))}", err=True)


@command.command(epilog='Example:  mi-code adjudicate push "Night shift: disagreements" chats.jsonl ann.csv ben.csv')
@click.argument("title")
@click.argument("chats")
@_codes
@click.option("--only", type=_FILE, help="Limit it to these messages: the file of --open, or of `mi-code sample`.")
@click.option(
    "--key", type=_NEW, help="File for whose coding is A, B ...  Default: adjudication-N.key.json, N the project."
)
@click.option("--context", default=12, show_default=True, type=click.IntRange(0, 200), help="Messages shown above.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Decides which coding is A.")
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
    """Make a project TITLE of the messages of CHATS on which CODES differ.

    The adjudicator sees the codings as "Coding A", "Coding B" in an order drawn by chance for each message, and not
    who gave them; that stands in the key, which stays on this machine. Nothing is filled in beforehand. The same
    command goes on with a push that was broken off.
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
        click.echo(f"{only}: {len(strange)} ids are of no message that is coded: {some(strange)}", err=True)
    units = [unit for unit in disagreements(coded) if named is None or unit.id in named]
    if not units:
        raise UsageProblem("The codings differ on no message: there is nothing to adjudicate. Use `adjudicate settle`.")
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
    click.echo(f"project {project.id}: {result.sent} disagreements sent, {result.there} were there; key: {path}")
    if result.other_text:
        click.echo(f"another text is in the project, it stays as it is: {some(result.other_text)}", err=True)
    click.echo(f"Decide them:  {client.url}/projects/{project.id}/data?labeling=1", err=True)


@command.command(epilog="Example:  mi-code adjudicate pull 7 ann.csv ben.csv -o gold.csv --log reasons.jsonl")
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
    """Fetch the decisions of PROJECT and join them with what CODES agree on.

    A message that was decided has the decision and its adjudicator; the others are taken as they are where all codings
    are the same, and stay open where they differ, where two adjudicators do, or where the newest annotation of one is
    no coding. The log keeps for each message the codings, who decided when, and the adjudicator's comment.
    """
    from mi_coder.annotation.adjudication import check_export, check_own, decided
    from mi_coder.annotation.codings import read_units
    from mi_coder.annotation.exports import left_out, read_export
    from mi_coder.annotation.label_config import offered, schema_hash
    from mi_coder.annotation.pull import newest
    from mi_coder.annotation.settled import read_sources

    new_files((output, log, still_open), force, codes)
    client = connect(url)
    sources = read_sources(codes)
    units = read_units(codes)
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
        click.echo(f"decided, and in none of the files of codes, left out: {some(found.unknown)}", err=True)
    if gone := [one.unit.id for one in found.settled if one.gold is None and one.unit.id not in sent]:
        click.echo(
            f"{len(gone)} open messages are not in project {there.id} (never sent, or deleted there): {some(gone)}; "
            "mi-code adjudicate push sends them",
            err=True,
        )
    for line in filter(None, (last.told, *left_out([export]))):
        click.echo(line, err=True)
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
        click.echo(note, err=True)


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
