"""`mi-code evaluate`: how good are the codes?"""

from contextlib import closing
from pathlib import Path

import click

from mi_coder.cli.blas import keep_blas_to_one_thread
from mi_coder.cli.options import Command, choice, cores, force_option, threads_option
from mi_coder.cli.progress import Steps
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.suite import check_options, run
from mi_coder.cli.target import new_file, show_report
from mi_coder.corpora.parts import PARTS, Part
from mi_coder.errors import UsageProblem

EPILOG = """\b
Examples:
  mi-code evaluate gold.jsonl                                # the bundled model
  mi-code evaluate gold.jsonl --model model/ --part test     # what mi-code train left for testing
  mi-code evaluate gold.jsonl --tagged gold.tagged.jsonl --as markdown -o evaluation.md
  mi-code evaluate --suite                                   # in a checkout with the corpora beside it
"""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_ROOT = click.Path(file_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(epilog=EPILOG, cls=Command)
@click.argument("gold", type=_FILE, required=False)
@click.option(
    "--tagged", type=_FILE, help="The same messages with the codes to evaluate. Default: they are tagged now."
)
@click.option(
    "--model",
    type=_FOLDER,
    help="Model folder; with --tagged, the model that made the file. Default: the bundled model.",
)
@click.option(
    "--baseline",
    type=_FOLDER,
    help="Model folder whose TF-IDF baseline is shown for comparison. Default: that of the model.",
)
@click.option(
    "--min-support",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="A code counts in the macro-F1 if at least this number of messages have it.",
)
@click.option(
    "--bootstrap",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Samples of conversations for the intervals.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of these samples.")
@click.option("--only-unseen", is_flag=True, help="Leave out conversations on which the model was trained.")
@click.option("--allow-seen", is_flag=True, help="Keep them; the title of the report then warns.")
@threads_option("Messages coded at the same time. Changes no figure.")
@choice("--as", "style", values=["table", "markdown", "json"], help="How the report is written.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File for the report. Default: standard output.")
@force_option()
@click.option(
    "--part", type=click.Choice(PARTS), help="Only the conversations of this part of GOLD, as mi-code train cuts them."
)
@click.option("--suite", is_flag=True, help="Every target of a model from the project's stored data; no GOLD.")
@click.option(
    "--data",
    type=_ROOT,
    default=Path("../shared/data"),
    show_default=True,
    help="With --suite: folder of the public corpora.",
)
@click.option(
    "--annotations",
    type=_ROOT,
    default=Path("annotations"),
    show_default=True,
    help="With --suite: folder of the project's codes.",
)
@reading_options()
def command(
    gold: Path | None,
    tagged: Path | None,
    model: Path | None,
    baseline: Path | None,
    min_support: int,
    bootstrap: int,
    seed: int,
    only_unseen: bool,
    allow_seen: bool,
    threads: int | None,
    style: str,
    output: Path | None,
    force: bool,
    part: Part | None,
    suite: bool,
    data: Path,
    annotations: Path,
    reading: Reading,
) -> None:
    """Compare codes with the gold codes in GOLD: per code and over all, with intervals and a simple baseline.

    GOLD is a file whose counselor messages have a field gold, or, if none has, a field codes. Codes that gold leaves
    open are not counted. Intervals are 95% intervals from resampling whole conversations.

    --suite measures a model on all of the project's stored data, prints its targets, and writes them with the reports
    they come from to docs/benchmark.md or the file of -o. It needs a checkout of the project and the corpora. A missed
    target is not an error.
    """
    check_options(click.get_current_context(), suite)
    keep_blas_to_one_thread()
    if suite:
        run(data, annotations, model, (bootstrap, seed), threads or cores(), output, force)
        return
    if gold is None:
        raise UsageProblem("Name a file with GOLD codes, or ask for all of the project's own with --suite.")
    if only_unseen and allow_seen:
        raise UsageProblem("--only-unseen and --allow-seen exclude each other.")
    if output:
        new_file(output, force, filter(None, (gold, tagged)))
    from mi_coder.evaluation.report import Options
    from mi_coder.evaluation.run import Request, evaluate_files

    request = Request(
        gold=gold,
        tagged=tagged,
        model=model,
        baseline=baseline,
        part=part,
        seen="leave out" if only_unseen else "allow" if allow_seen else "refuse",
        options=Options(min_support, bootstrap, seed),
        threads=threads or cores(),
        read=reading.options(overwrite=True),
    )
    with closing(Steps("conversations")) as steps:
        report = evaluate_files(request, steps.stage, steps)
    render = {"table": report.to_text, "markdown": report.to_markdown, "json": report.to_json}[style]
    show_report(render(), output, style, f"{report.summary()}\n")
