"""`mi-code sample`: what to code next, and whether to continue."""

from collections.abc import Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mi_coder.cli.label_studio import some
from mi_coder.cli.options import Group, choice, cores, force_option
from mi_coder.cli.progress import Steps
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.target import new_file, show_report
from mi_coder.errors import UsageProblem

if TYPE_CHECKING:
    from mi_coder.annotation.codings import Unit
    from mi_coder.annotation.designs import Design, Vectors
    from mi_coder.annotation.learning import Curve
    from mi_coder.annotation.merit import Scores
    from mi_coder.annotation.population import Candidate, UnitKind
    from mi_coder.annotation.stopping_report import Style

_DRAW_EXAMPLES = """\b
Examples:
  mi-code sample chats.jsonl -o sample.csv --n 200
  mi-code sample chats.jsonl -o sample.csv --n 200 \\
      --design stratified --by counselor_id
  mi-code sample chats.jsonl -o next.csv --n 200 \\
      --design rare-code --codes WA,CO --exclude codes.csv
  mi-code sample report codes.csv --sample sample.csv \\
      --chats chats.jsonl                            # whether to continue
"""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DRAW = "draw"


class _Sample(Group):
    """`mi-code sample CHATS` means `mi-code sample draw CHATS`."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(context, args if args and args[0] in self.commands else [_DRAW, *args])


@click.group("sample", cls=_Sample)
def command() -> None:
    """What to code next, and whether to continue."""


@command.command(_DRAW, epilog=_DRAW_EXAMPLES)
@click.argument("chats", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File for the sample (CSV).")
@click.option("--n", "size", required=True, type=click.IntRange(min=1), help="How many to draw.")
@choice(
    "--design",
    values=["random", "stratified", "uncertainty", "rare-code", "diversity", "given"],
    help="How messages are drawn, see above.",
)
@choice("--unit", values=["message", "conversation"], help="What is drawn.")
@click.option(
    "--by",
    default="code",
    show_default=True,
    metavar="FIELD|code",
    help="With --design stratified: field of the conversation or message, or code for the tagger's most likely code.",
)
@click.option(
    "--minimum",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="With --design stratified: least number from each stratum.",
)
@click.option(
    "--codes",
    metavar="REF,...",
    help="With --design rare-code: codes to look for. Default: those expected in under 2% of messages.",
)
@click.option(
    "--floor",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="With --design uncertainty or rare-code: share of the sample that is drawn evenly, so that every message can "
    "be "
    "drawn.",
)
@click.option(
    "--clusters",
    default=20,
    show_default=True,
    type=click.IntRange(min=1),
    help="With --design diversity: largest number of clusters.",
)
@choice(
    "--vectors",
    values=["scores", "text"],
    help="With --design diversity: what makes messages alike; text needs the extra train.",
)
@click.option(
    "--exclude",
    multiple=True,
    type=_FILE,
    help="File of codes or earlier sample (CSV) whose messages are left out. Repeatable.",
)
@click.option(
    "--chances",
    type=_FILE,
    help="With --design given: file of mi-code power -o with the probability of every conversation.",
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of the draw.")
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Model folder of the tagger. Default: the bundled model.",
)
@click.option("--tagged", type=_FILE, help="The same chats tagged with --scores all, instead of tagging them now.")
@force_option()
@reading_options()
def draw(
    chats: tuple[str, ...],
    output: Path,
    size: int,
    design: "Design",
    unit: "UnitKind",
    by: str,
    minimum: int,
    codes: str | None,
    floor: float,
    clusters: int,
    vectors: "Vectors",
    exclude: tuple[Path, ...],
    chances: Path | None,
    seed: int,
    model: Path | None,
    tagged: Path | None,
    force: bool,
    reading: Reading,
) -> None:
    """Draw counselor messages of CHATS to code next, or whole conversations.

    `mi-code sample CHATS` is short for `mi-code sample draw CHATS`. Second command: `mi-code sample report` says
    whether to continue coding; see its --help.

    \b
    random       all equally likely
    stratified   in proportion to each stratum (see --by), with a
                 minimum from each
    uncertainty  more likely where the tagger is less certain
    rare-code    more likely where one of --codes is more probable
    diversity    equally many from each of --clusters of similar messages
    given        whole conversations, by the probabilities in --chances

    Each message has a known probability of being drawn, which is in the file, so that weighted rates (mi-code sample
    report) apply to all messages that could be drawn and not only to the sample. Messages that are coded already
    (complete gold, --exclude) and repeated texts are left out and counted. The file contains no text.
    """
    from mi_coder.annotation.designs import Request, planned, read_chances, with_chances
    from mi_coder.annotation.population import population, read_done
    from mi_coder.annotation.sample_file import write_sample
    from mi_coder.annotation.sampling import check_size
    from mi_coder.annotation.sampling import draw as drawn_from

    if codes and design != "rare-code":
        raise UsageProblem("--codes goes with --design rare-code.")
    if (chances is None) == (design == "given"):
        raise UsageProblem("--chances and --design given go together.")
    if model and tagged:
        raise UsageProblem("--tagged already has the scores of a tagger: leave out --model.")
    new_file(output, force, [*map(Path, chats), *exclude, *filter(None, [tagged, chances])])
    request = Request(
        design=design,
        size=size,
        by=by,
        minimum=minimum,
        codes=tuple(code for code in (codes or "").split(",") if code.strip()),
        floor=floor,
        clusters=clusters,
        vectors=vectors,
        seed=seed,
    )
    conversations = list(reading.conversations(chats))
    found = population(conversations, unit, read_done(exclude))
    click.echo(
        f"{len(found.units)} {unit}s to draw from; left out: {found.coded} coded, {found.duplicates} duplicates, "
        f"{found.empty} without text",
        err=True,
    )
    given = read_chances(chances) if chances else None
    if given is not None:
        found = with_chances(found, given)
        click.echo(f"{len(found.units)} of them have a probability in {chances}", err=True)
        if strange := sorted(given.keys() - {chat.id for chat in conversations}):
            click.echo(
                f"{chances}: {len(strange)} of {len(given)} probabilities are of conversations that are not in the "
                "chats: "
                f"{some(strange)}. The probabilities of the others are no longer right.",
                err=True,
            )
    check_size(len(found.units), size)
    scores, name = _scores(found.units, model, tagged, reading) if request.needs_scores else (None, "")
    plan = planned(found, request, scores, given)
    meta = write_sample(output, found, request, plan, drawn_from(plan.plan, seed), name)
    looked_for = f", looking for {' '.join(meta.codes)}" if meta.codes else ""
    click.echo(f"{output}: {meta.drawn} {unit}s drawn, {meta.messages} messages to code{looked_for}")
    click.echo(f"Send them:  mi-code studio push PROJECT CHATS --only {output}", err=True)


@command.command(
    epilog="""\b
Example:
  mi-code sample report codes.csv --sample sample.csv \\
      --chats chats.jsonl
""",
)
@click.argument("codes", nargs=-1, required=True, type=_FILE)
@click.option("--sample", type=_FILE, help="The sample that was coded, to estimate the rates of codes.")
@click.option("--chats", multiple=True, help="The coded chats, for the learning curve (extra train). Repeatable.")
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(1, 100), help="Repeats of the learning curve."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of parts and intervals.")
@choice("--as", "style", values=["table", "markdown", "json"], help="How the report is written.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File for the report. Default: standard output.")
@force_option()
@reading_options()
def report(
    codes: tuple[Path, ...],
    sample: Path | None,
    chats: tuple[str, ...],
    repeats: int,
    seed: int,
    style: "Style",
    output: Path | None,
    force: bool,
    reading: Reading,
) -> None:
    """Say whether to continue coding, from the codes given so far.

    CODES are files of codes (CSV). The report shows alpha as the number of messages coded twice grows; the F1 that the
    TF-IDF baseline gains per 100 codings, on held-out conversations (with --chats); rates of the codes in all that the
    sample was drawn from, weighted by inclusion probability (with --sample); and what to do. If a message has several
    codings, the last one in the files counts for the curve and the rates; of one coder, the last round. The report
    contains no text.
    """
    if output:
        new_file(output, force, [*codes, *map(Path, chats), *filter(None, [sample])])
    from mi_coder.annotation.codings import read_units
    from mi_coder.annotation.sample_file import read_sample
    from mi_coder.annotation.stopping import stopping_report
    from mi_coder.annotation.stopping_report import render

    units = read_units(codes)
    curve, why = (
        _curve(codes, units, chats, repeats, seed, reading) if chats else (None, "name the chats with --chats.")
    )
    rendered = render(stopping_report(units, curve, why, read_sample(sample) if sample else None, seed), style)
    show_report(rendered, output, style)


def _curve(
    codes: tuple[Path, ...],
    units: "Sequence[Unit]",
    chats: tuple[str, ...],
    repeats: int,
    seed: int,
    reading: Reading,
) -> "tuple[Curve | None, str]":
    """The learning curve from the last rounds of the coders, or none and why."""
    from mi_coder.annotation.learning import TooLittleGold, learning_curve
    from mi_coder.corpora.standoff import read_standoff, with_standoff

    counted = {(unit.conversation, unit.index, *one.rater) for unit in units for one in unit.last_rounds().given}
    standoff = (
        row
        for row in chain.from_iterable(map(read_standoff, codes))
        if (row.conversation_id, row.index, row.coder, row.round) in counted
    )
    bare = (chat.without_gold() for chat in reading.conversations(chats))
    click.echo("training on growing parts ...", err=True)
    try:
        return learning_curve(with_standoff(bare, standoff, only_coded=True), repeats, seed), ""
    except TooLittleGold as error:
        return None, str(error)


def _scores(
    units: "Sequence[Candidate]", model: Path | None, tagged: Path | None, reading: Reading
) -> "tuple[Scores, str]":
    """The scores of the units' messages, and who gave them: name, version and start of the hash."""
    from mi_coder.annotation.merit import Scores, tagged_before, tagged_now
    from mi_coder.evaluation.coder import file_coder
    from mi_coder.tagger.config import MODEL_FILE
    from mi_coder.tagger.tagger import Tagger

    if tagged:
        coder = file_coder(tagged, None)
        codings = tagged_before(units, reading.conversations((str(tagged),)))
        return Scores.of(units, codings), f"{coder.name} {coder.sha256[:16]}"
    click.echo("tagging ...", err=True)
    tagger = Tagger.load(model, threads=cores())
    name = f"{tagger.config.name} {tagger.config.version} {tagger.digests[MODEL_FILE][:16]}"
    with closing(Steps("messages")) as steps:
        return Scores.of(units, tagged_now(units, tagger, steps)), name
