"""`mi-code studio`: coding in Label Studio."""

import shlex
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from mi_coder.cli.label_studio import InOrder, connect, end_with_problems, overlay_option, read_own, some, url_option
from mi_coder.cli.options import cores, force_option
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.target import new_file, new_files, show
from mi_coder.errors import UsageProblem

if TYPE_CHECKING:
    from mi_coder.annotation.exports import Coded
    from mi_coder.annotation.push import Pushed
    from mi_coder.annotation.retrain import Retraining
    from mi_coder.annotation.suggest import Suggester
    from mi_coder.annotation.tasks import Task

_EXAMPLES = """\b
Examples:
  export LABEL_STUDIO_API_KEY=...    # Account & Settings > Personal Access Token
  mi-code studio create --title "Night shift"
  mi-code studio push "Night shift" chats.jsonl
  mi-code studio pull "Night shift" -o codes.csv
  mi-code adjudicate settle codes.csv -o settled.csv    # if several people code
  mi-code studio gold chats.jsonl settled.csv -o gold.jsonl
  mi-code studio doctor "Night shift"
"""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_MARKS = {"good": "ok  ", "look": "look", "bad": "BAD "}

_only = click.option(
    "--only",
    type=_FILE,
    help="Send only these messages: a file of `mi-code sample`, or one conversation_id#index per line.",
)


@click.group(epilog=_EXAMPLES, cls=InOrder)
def command() -> None:
    """Code in Label Studio: make a project, send chats, fetch the codes.

    The token is read from the environment (LABEL_STUDIO_API_KEY) or the keyring, never from the command line. With the
    package keyring (pip install keyring), store the token once:

    \b
      keyring set mi-coder-label-studio http://127.0.0.1:8080
    """


@command.command(
    epilog="""\b
Example:
  mi-code studio create --title "Night shift" --overlay my_codes.yaml
"""
)
@click.option("--title", required=True, help="Title of the project.")
@click.option(
    "--reading", is_flag=True, help="Make a project for reading whole conversations, with a comment and no codes."
)
@overlay_option
@url_option
def create(title: str, reading: bool, overlay: Path | None, url: str) -> None:
    """Make a project, or update the schema of an existing one.

    The schema is that of the codebook. A schema that lacks a code which the project's codings use is refused.
    """
    from mi_coder.annotation.label_config import label_config, reading_config
    from mi_coder.annotation.project import SETTINGS, create_or_update
    from mi_coder.codebook import Codebook

    if reading and overlay:
        raise UsageProblem("A project for reading has no codes: leave out --overlay or --reading.")
    client = connect(url)
    config = reading_config() if reading else label_config(Codebook.load(), read_own(overlay))
    made = create_or_update(client, title, config, **SETTINGS)
    click.echo(f"{made.outcome}: project {made.project.id} {title!r}")
    click.echo(f"Send chats:  mi-code studio push {made.project.id} chats.jsonl --url {client.url}", err=True)


@command.command(epilog="Example:  mi-code studio push 3 chats.jsonl --hidden 0.2 --silent SU")
@click.argument("project")
@click.argument("chats", nargs=-1, required=True)
@click.option(
    "--suggest/--no-suggest",
    default=None,
    help="Show the tagger's codes as suggestions. Default: show them. For a project whose messages have none, give one "
    "of the two.",
)
@click.option("--model", type=_FOLDER, help="Model folder of the tagger. Default: the bundled model.")
@click.option(
    "--hidden",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the messages, drawn at random, whose suggestion is recorded but not shown.",
)
@click.option("--silent", multiple=True, metavar="CODE", help="Code that is never suggested. Repeatable.")
@_only
@click.option(
    "--context", default=12, show_default=True, type=click.IntRange(0, 200), help="Earlier messages shown above each."
)
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of the draw of hidden suggestions."
)
@url_option
@reading_options()
def push(
    project: str,
    chats: tuple[str, ...],
    suggest: bool | None,
    model: Path | None,
    hidden: float,
    silent: tuple[str, ...],
    only: Path | None,
    context: int,
    seed: int,
    url: str,
    reading: Reading,
) -> None:
    """Send the counselor messages of CHATS to PROJECT, each once.

    PROJECT is its number or title. If a push is interrupted, run the same command again to resume it. Chats are sent as
    they are: remove names first.
    """
    from mi_coder.annotation.label_config import reading_config
    from mi_coder.annotation.project import same
    from mi_coder.annotation.push import is_blind
    from mi_coder.annotation.push import push as send
    from mi_coder.annotation.sample_file import read_ids
    from mi_coder.annotation.suggestions import codings_of, with_suggestions
    from mi_coder.annotation.tasks import readings, tasks
    from mi_coder.codebook import Codebook
    from mi_coder.tagger.tagger import Tagger

    client = connect(url)
    book = Codebook.load()
    known = [book[code].id for code in silent]
    there = client.project(project)
    conversations = list(reading.conversations(chats))
    named = read_ids(only) if only else None
    if same(there.config, reading_config()):
        if only:
            raise UsageProblem(
                f"Project {there.id} is for whole conversations, and --only names messages: leave out --only."
            )
        sent = send(client, there.id, readings(conversations))
        click.echo(f"project {there.id}: {sent.sent} conversations sent, {sent.there} were there already")
        return
    if suggest is None and is_blind(client, there):
        raise UsageProblem(
            f"The messages of project {there.id} have no suggestions, as blind coding requires. To send the new ones "
            "without suggestions too, add --no-suggest; to show suggestions in them, add --suggest."
        )
    bare = list(tasks(conversations, context, named))
    _say_unmatched(only, named, bare)
    if not bare:
        raise UsageProblem("There is no counselor message with text to send. Check --only and the roles in the chats.")
    pending: Iterable[Task] = bare
    suggest = suggest is not False
    if suggest:
        click.echo("tagging ...", err=True)
        tagger = Tagger.load(model, threads=cores())
        name = f"{tagger.config.name} {tagger.config.version}"
        codings = codings_of(tagger, conversations)
        pending = with_suggestions(pending, codings, name, hidden, known, seed)
    result = send(client, there.id, pending, progress=lambda sent: click.echo(f"{sent} sent", err=True))
    if suggest and result.sent:
        client.update_project(there.id, model_version=name, show_collab_predictions=True)
    click.echo(f"project {there.id}: {result.sent} messages sent, {result.there} were there already")
    _say_amiss(result)


@command.command(
    epilog="""\b
Example:
  mi-code studio assign chats.jsonl --title Night \\
      --coders ann,ben,cho --overlap 0.2
"""
)
@click.argument("chats", nargs=-1, required=True)
@click.option("--title", required=True, help="Start of the titles: each coder's project is called 'TITLE: CODER'.")
@click.option("--coders", required=True, metavar="A,B,C", help="Names of the coders, separated by commas.")
@click.option(
    "--overlap",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the conversations that two coders code.",
)
@click.option("--planted", type=_FILE, help="Chats with gold that every coder codes among the others, to detect drift.")
@_only
@click.option(
    "--context", default=12, show_default=True, type=click.IntRange(0, 200), help="Earlier messages shown above each."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of the random assignment.")
@overlay_option
@url_option
@reading_options()
def assign(
    chats: tuple[str, ...],
    title: str,
    coders: str,
    overlap: float,
    planted: Path | None,
    only: Path | None,
    context: int,
    seed: int,
    overlay: Path | None,
    url: str,
    reading: Reading,
) -> None:
    """Deal CHATS out to coders, one project each, without suggestions.

    Part of the conversations (--overlap) goes to two coders, for blind double coding. Send every coder their own link,
    which is printed. The same command later, with more chats or other coders, leaves assigned messages where they are
    and deals out the rest. All messages of --planted are sent, whatever --only names.
    """
    from mi_coder.annotation.assign import assign as deal
    from mi_coder.annotation.assign import check_names, messages_by_coder, project_title
    from mi_coder.annotation.label_config import label_config
    from mi_coder.annotation.project import SETTINGS, check_title, create_or_update
    from mi_coder.annotation.push import push as send
    from mi_coder.annotation.sample_file import read_ids
    from mi_coder.annotation.tasks import tasks
    from mi_coder.codebook import Codebook

    names = [name.strip() for name in coders.split(",") if name.strip()]
    check_names(title, names)
    for name in names:
        check_title(project_title(title, name))
    client = connect(url)
    known = list(reading.conversations([str(planted)])) if planted else []
    named = read_ids(only) if only else None
    pending = list(tasks(reading.conversations(chats), context, named))
    _say_unmatched(only, named, pending)
    if not pending:
        raise UsageProblem(
            "There is no counselor message with text to deal out. Check --only and the roles in the chats."
        )
    config = label_config(Codebook.load(), read_own(overlay))
    placed = messages_by_coder(client, title)
    shares = deal([*pending, *tasks(known, context)], names, overlap, [chat.id for chat in known], seed, placed)
    for share in shares[: len(names)]:
        if not share.tasks:
            click.echo(f"{share.coder}: nothing left to deal out")
            continue
        made = create_or_update(client, project_title(title, share.coder), config, **SETTINGS)
        result = send(client, made.project.id, share.tasks)
        click.echo(
            f"{share.coder}: {len(share.tasks)} messages, {share.double} of them for a second coder too, "
            f"{share.planted} planted; {result.sent} sent.  {client.url}/projects/{made.project.id}/data?labeling=1"
        )
        _say_amiss(result)
    if others := shares[len(names) :]:
        told = ", ".join(f"{project_title(title, one.coder)!r} ({len(one.tasks)})" for one in others)
        click.echo(
            f"Projects of coders who are not in --coders have some of the messages: {told}. They stay there. To deal "
            f"them out again, rename those projects so that the titles do not start with {project_title(title, '')!r}.",
            err=True,
        )


@command.command(epilog="Example:  mi-code studio progress 4 5 6 --planted known.jsonl")
@click.argument("project", nargs=-1, required=True)
@click.option("--planted", type=_FILE, help="The chats with gold that were given to `mi-code studio assign`.")
@url_option
@reading_options()
def progress(project: tuple[str, ...], planted: Path | None, url: str, reading: Reading) -> None:
    """Show how far coders are and how long a message takes them.

    With --planted it also shows, week by week, how often they give exactly the known codes.
    """
    from mi_coder.annotation.assign import drift
    from mi_coder.annotation.exports import read_export
    from mi_coder.annotation.pull import newest
    from mi_coder.evaluation.render import table

    client = connect(url)
    users = client.users()
    rows: list[list[str]] = []
    codings: list[Coded] = []
    for name in project:
        one = client.project(name)
        export = read_export(client.export(one.id), users)
        own = newest([export]).codings
        codings += own
        for coder in sorted({coding.coder for coding in own} | export.drafts.keys()) or ["-"]:
            given = [coding for coding in own if coding.coder == coder]
            seconds = [coding.seconds for coding in given if coding.seconds is not None]
            middle = f"{median(seconds):.0f} s" if seconds else "-"
            unsure = sum(coding.unsure for coding in given)
            done = f"{len(given)} of {export.tasks}"
            rows.append([one.title, coder, done, middle, str(unsure), str(export.drafts[coder])])
    header = ["project", "coder", "coded", "median time", "unsure", "not submitted"]
    show(table(header, rows, markdown=False))
    if planted:
        known = {
            f"{chat.id}#{index}": message.gold.positive
            for chat in reading.conversations([str(planted)])
            for index, message in enumerate(chat.messages)
            if message.gold
        }
        given_codes = [(one.coder, one.created, one.utterance_id, frozenset(one.codes)) for one in codings]
        weeks = [[one.coder, one.period, str(one.messages), f"{one.same:.2f}"] for one in drift(given_codes, known)]
        click.echo("")
        show(table(["coder", "week of", "planted messages", "exactly the known codes"], weeks, markdown=False))


@command.command(epilog="Example:  mi-code studio pull 3 -o codes.csv --round 1")
@click.argument("project", nargs=-1, required=True)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="File for the codes (CSV, no text)."
)
@click.option("--round", "round_name", default="1", show_default=True, help="Name of this round of coding.")
@force_option()
@url_option
def pull(project: tuple[str, ...], output: Path, round_name: str, force: bool, url: str) -> None:
    """Fetch the codings of PROJECTs.

    The file says who coded what, when, how long it took, and what was suggested. If a coder annotated a message more
    than once, also in several PROJECTs, the annotation changed last counts. Annotations that the codebook does not
    allow are listed with how to fix them, and left out. The codings of planted messages (mi-code studio assign
    --planted) go into a separate file, NAME.planted.csv; with --force, an older such file is removed if there are none.
    The files contain no text.
    """
    from mi_coder.annotation.exports import left_out, read_export
    from mi_coder.annotation.label_config import schema_hash
    from mi_coder.annotation.pull import newest, planted_file, remove_codings, write_codings

    beside = planted_file(output)
    new_files((output, beside), force)
    client = connect(url)
    found = [client.project(name) for name in project]
    users = client.users()
    exports = [read_export(client.export(one.id), users) for one in found]
    problems = [problem for export in exports for problem in export.problems]
    schema = "+".join(sorted({schema_hash(one.config) for one in found}))
    last = newest(exports)
    codings = [coding for coding in last.codings if not coding.planted]
    planted = [coding for coding in last.codings if coding.planted]
    write_codings(output, codings, round_name, schema)
    coders = {coding.coder for coding in codings}
    messages = {coding.utterance_id for coding in codings}
    click.echo(f"{output}: {len(codings)} codings of {len(messages)} messages by {len(coders)} coders")
    if planted:
        write_codings(beside, planted, round_name, schema)
        click.echo(f"{beside}: {len(planted)} codings of planted messages, kept separate from the others")
    elif remove_codings(beside):
        click.echo(f"{beside}: the older file was removed, since these codings have no planted messages")
    for line in filter(None, (last.told, *left_out(exports))):
        show(line, err=True)
    end_with_problems(problems)


@command.command(epilog="Example:  mi-code studio gold chats.jsonl codes.csv -o gold.jsonl")
@click.argument("chats")
@click.argument("codes", nargs=-1, required=True, type=_FILE)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File for the chats with gold.")
@click.option("--only-coded", is_flag=True, help="Leave out conversations that have no codes.")
@force_option()
@reading_options()
def gold(chats: str, codes: tuple[Path, ...], output: Path, only_coded: bool, force: bool, reading: Reading) -> None:
    """Write CODES into CHATS as gold, for evaluate and train.

    Messages with codings that differ are refused: settle them first with `mi-code adjudicate`. If a settled coding
    comes after others, it counts.
    """
    from mi_coder.annotation.settled import ROUND
    from mi_coder.corpora.standoff import differing, own_unused, read_standoff, texts_unchecked, with_standoff
    from mi_coder.formats import write_conversations
    from mi_coder.formats.atomic import permissions

    new_file(output, force, [Path(chats), *codes])
    standoff = list(chain.from_iterable(map(read_standoff, codes)))
    if not standoff:
        raise UsageProblem(f"There are no codings in {', '.join(map(str, codes))}: nothing would become gold.")
    if open_ones := differing(standoff, ROUND):
        settle = shlex.join(["mi-code", "adjudicate", "settle", *map(str, codes), "-o", "settled.csv"])
        raise UsageProblem(
            f"{len(open_ones)} messages have codings that differ: {some(open_ones)}. Settle them first:  {settle}  and "
            "give settled.csv here."
        )
    coded = with_standoff(reading.conversations([chats]), standoff, only_coded)
    write_conversations(coded, str(output), mode=permissions(output, [Path(chats)]))
    for note in filter(None, (texts_unchecked(codes), own_unused(codes))):
        click.echo(note, err=True)
    click.echo(f"Evaluate on it:  {shlex.join(['mi-code', 'evaluate', str(output)])}", err=True)


@command.command(epilog="Example:  mi-code studio doctor 3")
@click.argument("project", nargs=-1)
@url_option
def doctor(project: tuple[str, ...], url: str) -> None:
    """Find common problems of the server and PROJECTs, with fixes. Without PROJECT it lists the projects."""
    from mi_coder.annotation.client import find_token
    from mi_coder.annotation.doctor import look_at_project, look_at_server

    client = connect(url)
    bad = 0
    for finding in look_at_server(client, find_token(client.url)):
        bad += _show(finding.level, finding.what, finding.mend)
    for name in project:
        one = client.project(name)
        click.echo(f"project {one.id} {one.title!r}")
        for finding in look_at_project(client, one):
            bad += _show(finding.level, finding.what, finding.mend)
    if not project:
        for one in client.projects():
            click.echo(f"      project {one.id} {one.title!r}, {one.tasks} messages")
    if bad:
        raise SystemExit(1)


@command.command(epilog="Example:  mi-code studio serve --port 9090")
@click.option("--model", type=_FOLDER, help="Model folder of the tagger. Default: the bundled model.")
@click.option("--port", default=9090, show_default=True, type=click.IntRange(1, 65535), help="Port on this machine.")
@click.option(
    "--retrain",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Continue training the model on a project's codings when Label Studio asks for it. New models go into FOLDER "
    "and are used only if they are better on held-out codings. Needs the extra train.",
)
@click.option("--more", multiple=True, type=_FILE, help="With --retrain: additional gold to train on. Repeatable.")
@url_option
def serve(model: Path | None, port: int, retrain: Path | None, more: tuple[Path, ...], url: str) -> None:
    """Suggest codes when coders open messages.

    This is a machine-learning backend on this machine. Connect it in Label Studio under Settings > Model:
    http://127.0.0.1:PORT. It logs neither texts nor tokens.
    """
    from mi_coder.annotation.suggest import Suggester
    from mi_coder.annotation.suggestion_server import application
    from mi_coder.annotation.suggestion_server import serve as run
    from mi_coder.tagger.tagger import Tagger

    suggester = Suggester(Tagger.load(model, threads=cores()))
    app = application(
        suggester,
        _retraining(suggester, model, retrain, more, url) if retrain else None,
        lambda line: click.echo(line, err=True),
    )
    click.echo(f"{suggester.version} suggests codes on http://127.0.0.1:{port}; Ctrl-C ends it", err=True)
    run(app, port)


def _retraining(
    suggester: "Suggester", model: Path | None, folder: Path, more: tuple[Path, ...], url: str
) -> "Retraining":
    """Retraining, always from the model that the server was started with.

    Raises:
        BadModel, MissingExtra: training cannot go on from it; better said now than after the coding.
    """
    from mi_coder.annotation.retrain import Retraining
    from mi_coder.errors import need

    for module in ("torch", "transformers", "sklearn", "onnx"):
        need(module, extra="train")
    from mi_coder.codebook import Codebook
    from mi_coder.training.run import TrainOptions, train
    from mi_coder.training.start import BUNDLED, FEW, Start
    from mi_coder.training.targets import head_names

    base = BUNDLED if model is None else str(model)
    Start.of(base).coder(len(head_names(Codebook.load())), None)

    def train_on(gold: Sequence[Path], made: Path) -> None:
        train(TrainOptions(gold=tuple(gold), output=made, version=made.name, base=base, fit=FEW))

    return Retraining(connect(url), suggester, model, folder, more, train_on)


def _say_unmatched(only: Path | None, named: frozenset[str] | None, found: "Sequence[Task]") -> None:
    """Name the ids of --only that are of no message.

    Raises:
        UsageProblem: none is of any.
    """
    from mi_coder.annotation.sample_file import unmatched

    if only and named is not None and (strange := unmatched(only, named, {task.utterance_id for task in found})):
        click.echo(
            f"{only}: {len(strange)} ids are not those of a counselor message with text: {some(strange)}", err=True
        )


def _say_amiss(result: "Pushed") -> None:
    """Name the messages that a project has doubled, or with another text."""
    for names, what in (
        (result.doubled, "are in the project more than once; delete all but one of each"),
        (result.other_text, "have another text in the project; it stays as it is"),
    ):
        if names:
            click.echo(f"{len(names)} messages {what}: {some(names)}", err=True)


def _show(level: str, what: str, mend: str) -> bool:
    click.echo(f"{_MARKS[level]}  {what}")
    if mend:
        click.echo(f"      -> {mend}")
    return level == "bad"
