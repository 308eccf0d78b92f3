"""`mi-code studio`: coding in Label Studio."""

import shlex
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from mi_coder.cli.label_studio import connect, end_with_problems, overlay_option, read_own, some, url_option
from mi_coder.cli.options import Group, cores, force_option
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.target import new_file, new_files
from mi_coder.errors import UsageProblem

if TYPE_CHECKING:
    from mi_coder.annotation.exports import Coded
    from mi_coder.annotation.push import Pushed
    from mi_coder.annotation.retrain import Retraining
    from mi_coder.annotation.suggest import Suggester
    from mi_coder.annotation.tasks import Task

_EXAMPLES = """\b
Examples:
  export LABEL_STUDIO_API_KEY=...                       # Account & Settings > Personal Access Token
  mi-code studio create --title "Night shift"
  mi-code studio push "Night shift" chats.jsonl
  mi-code studio pull "Night shift" -o codes.csv
  mi-code adjudicate settle codes.csv -o settled.csv    # where several people code
  mi-code studio gold chats.jsonl settled.csv -o gold.jsonl
  mi-code studio doctor "Night shift"
"""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_MARKS = {"good": "ok  ", "look": "look", "bad": "BAD "}

_only = click.option(
    "--only", type=_FILE, help="The messages to send: a file of `mi-code sample`, or one conversation_id#index a line."
)


@click.group(epilog=_EXAMPLES, cls=Group)
def command() -> None:
    """Code in Label Studio: make a project, send chats, fetch the codes.

    The token is read from the environment (LABEL_STUDIO_API_KEY) or the keyring, never from the command line.
    """


@command.command(epilog='Example:  mi-code studio create --title "Night shift" --overlay my_codes.yaml')
@click.option("--title", required=True, help="Title of the project.")
@click.option("--reading", is_flag=True, help="Whole conversations to read, with a comment and no codes.")
@overlay_option
@url_option
def create(title: str, reading: bool, overlay: Path | None, url: str) -> None:
    """Make a project with the schema of the codebook, or bring the schema of an existing one up to date.

    A schema that lacks a code which the project's codings use is refused.
    """
    from mi_coder.annotation.label_config import label_config, reading_config
    from mi_coder.annotation.project import SETTINGS, create_or_update
    from mi_coder.codebook import Codebook

    if reading and overlay:
        raise UsageProblem("A project to read in has no codes: leave out --overlay or --reading.")
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
    help="Show the tagger's codes as suggestions. Default: they are shown; to a project whose messages have none, say "
    "which.",
)
@click.option("--model", type=_FOLDER, help="Model folder of the tagger. Default: the bundled model.")
@click.option(
    "--hidden",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the messages, by chance, whose suggestion is recorded and not shown.",
)
@click.option("--silent", multiple=True, metavar="CODE", help="Code that is never suggested. Repeatable.")
@_only
@click.option("--context", default=12, show_default=True, type=click.IntRange(0, 200), help="Messages shown above.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Decides what is hidden.")
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
    """Send the counselor messages of CHATS to PROJECT (its number or title), each once.

    A push that was broken off goes on with the same command. Chats go as they are: take names out before.
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
                f"Project {there.id} is for whole conversations, and --only names messages: leave it out."
            )
        sent = send(client, there.id, readings(conversations))
        click.echo(f"project {there.id}: {sent.sent} conversations sent, {sent.there} were there")
        return
    if suggest is None and is_blind(client, there):
        raise UsageProblem(
            f"The messages of project {there.id} have no suggestions, as blind coding needs it. Go on so with "
            "--no-suggest, or have them in the new ones with --suggest."
        )
    bare = list(tasks(conversations, context, named))
    _say_unmatched(only, named, bare)
    if not bare:
        raise UsageProblem("No counselor message with text is to be sent. See --only and the roles of the chats.")
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
    click.echo(f"project {there.id}: {result.sent} messages sent, {result.there} were there")
    _say_amiss(result)


@command.command(epilog="Example:  mi-code studio pull 3 -o codes.csv --round 1")
@click.argument("project", nargs=-1, required=True)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="File for the codes (CSV, no text)."
)
@click.option("--round", "round_name", default="1", show_default=True, help="What tells this round from others.")
@force_option("Write over a file that is there.")
@url_option
def pull(project: tuple[str, ...], output: Path, round_name: str, force: bool, url: str) -> None:
    """Fetch the codings of PROJECTs: who coded what, when, how long, and what was suggested.

    Of several annotations of a message by one coder, also in several PROJECTs, the one changed last counts. Annotations
    that the codebook does not allow are named with the mend and left out. The codings of planted messages (mi-code
    studio assign --planted) go into a file of their own, NAME.planted.csv; with --force, an older one is removed where
    there are none. The files hold no text.
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
        click.echo(f"{beside}: {len(planted)} codings of planted messages, kept apart from the others")
    elif remove_codings(beside):
        click.echo(f"{beside}: the older file is removed, since these codings have no planted messages")
    for line in filter(None, (last.told, *left_out(exports))):
        click.echo(line, err=True)
    end_with_problems(problems)


@command.command(epilog="Example:  mi-code studio gold chats.jsonl codes.csv -o gold.jsonl")
@click.argument("chats")
@click.argument("codes", nargs=-1, required=True, type=_FILE)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File for the chats with gold.")
@click.option("--only-coded", is_flag=True, help="Leave out the conversations that have no codes.")
@force_option("Write over a file that is there.")
@reading_options()
def gold(chats: str, codes: tuple[Path, ...], output: Path, only_coded: bool, force: bool, reading: Reading) -> None:
    """Put CODES into the messages of CHATS as gold, for `mi-code evaluate` and `mi-code train`.

    Messages with codings that differ are refused: settle them before with `mi-code adjudicate`. Where a settled coding
    comes after others, it counts.
    """
    from mi_coder.annotation.settled import ROUND
    from mi_coder.corpora.standoff import differing, own_unused, read_standoff, texts_unchecked, with_standoff
    from mi_coder.formats import write_conversations

    new_file(output, force, [Path(chats), *codes])
    standoff = list(chain.from_iterable(map(read_standoff, codes)))
    if open_ones := differing(standoff, ROUND):
        settle = shlex.join(["mi-code", "adjudicate", "settle", *map(str, codes), "-o", "settled.csv"])
        raise UsageProblem(
            f"{len(open_ones)} messages have codings that differ: {some(open_ones)}. Settle them first:  {settle}  and "
            "give settled.csv here."
        )
    coded = with_standoff(reading.conversations([chats]), standoff, only_coded)
    write_conversations(coded, str(output))
    for note in filter(None, (texts_unchecked(codes), own_unused(codes))):
        click.echo(note, err=True)
    click.echo(f"Evaluate on it:  {shlex.join(['mi-code', 'evaluate', str(output)])}", err=True)


@command.command(epilog="Example:  mi-code studio doctor 3")
@click.argument("project", nargs=-1)
@url_option
def doctor(project: tuple[str, ...], url: str) -> None:
    """Look the server and PROJECTs over for what goes wrong in practice. Without PROJECT it lists them."""
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


@command.command(epilog="Example:  mi-code studio assign chats.jsonl --title Night --coders ann,ben,cho --overlap 0.2")
@click.argument("chats", nargs=-1, required=True)
@click.option("--title", required=True, help="Start of the titles; each coder's project is 'TITLE: CODER'.")
@click.option("--coders", required=True, metavar="A,B,C", help="Who codes, separated by commas.")
@click.option(
    "--overlap",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the conversations that two coders code.",
)
@click.option("--planted", type=_FILE, help="Chats with gold that every coder codes among the others, to watch drift.")
@_only
@click.option("--context", default=12, show_default=True, type=click.IntRange(0, 200), help="Messages shown above.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Decides who codes what.")
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
    """Deal CHATS out to coders for blind double coding: one project for each, no suggestions.

    Send every coder the link of the own project, which is printed. The same command later, with more chats or other
    coders, leaves what is assigned where it is and deals out the rest. All messages of --planted are sent, whatever
    --only names.
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
        raise UsageProblem("No counselor message with text is to be dealt out. See --only and the roles of the chats.")
    config = label_config(Codebook.load(), read_own(overlay))
    placed = messages_by_coder(client, title)
    shares = deal([*pending, *tasks(known, context)], names, overlap, [chat.id for chat in known], seed, placed)
    for share in shares[: len(names)]:
        if not share.tasks:
            click.echo(f"{share.coder}: nothing left to deal")
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
            f"Projects of others than --coders have some of the messages: {told}. They stay there. To deal them out "
            f"anew, rename those projects so that the titles do not start with {project_title(title, '')!r}.",
            err=True,
        )


@command.command(epilog="Example:  mi-code studio progress 4 5 6 --planted known.jsonl")
@click.argument("project", nargs=-1, required=True)
@click.option("--planted", type=_FILE, help="The chats with gold that were given to `mi-code studio assign`.")
@url_option
@reading_options()
def progress(project: tuple[str, ...], planted: Path | None, url: str, reading: Reading) -> None:
    """How far coders are, their time per message, and with --planted how they hold to known codes week by week."""
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
    click.echo(table(header, rows, markdown=False))
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
        click.echo(table(["coder", "week of", "planted messages", "exactly the known codes"], weeks, markdown=False))


@command.command(epilog="Example:  mi-code studio serve --port 9090")
@click.option("--model", type=_FOLDER, help="Model folder of the tagger. Default: the bundled model.")
@click.option("--port", default=9090, show_default=True, type=click.IntRange(1, 65535), help="Port on this machine.")
@click.option(
    "--retrain",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Train the model further on a project's codings when Label Studio asks for it; new models go into FOLDER and "
    "are used only where they are better on codings kept apart. Needs the extra train.",
)
@click.option("--more", multiple=True, type=_FILE, help="With --retrain: further gold to train on. Repeatable.")
@url_option
def serve(model: Path | None, port: int, retrain: Path | None, more: tuple[Path, ...], url: str) -> None:
    """Suggest codes as coders open messages: a machine-learning backend on this machine.

    Connect it in Label Studio under Settings > Model: http://127.0.0.1:PORT. It logs neither texts nor tokens.
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
        click.echo(f"{only}: {len(strange)} ids are of no counselor message with text: {some(strange)}", err=True)


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
