"""`mi-code evaluate --suite`: every target of a model in one table."""

from pathlib import Path

import click
from click.core import ParameterSource

from mi_coder.cli.target import new_file
from mi_coder.errors import UsageProblem

PAGE = Path("docs/benchmark.md")

_ONLY_SUITE = {"data", "annotations"}
_ALSO_SUITE = {"suite", "model", "bootstrap", "seed", "threads", "output", "force"}


def check_options(context: click.Context, suite: bool) -> None:
    """Refuse what would change nothing.

    Raises:
        UsageProblem: an option on the command line goes only with, or only without, --suite.
    """
    given = {
        parameter.name: max(parameter.opts, key=len) if isinstance(parameter, click.Option) else "GOLD"
        for parameter in context.command.params
        if parameter.name and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    }
    if suite:
        contrary = [option for name, option in given.items() if name not in _ONLY_SUITE | _ALSO_SUITE]
        if contrary:
            raise UsageProblem(f"--suite has its own gold codes and settings: leave out {', '.join(contrary)}.")
        return
    lonely = [option for name, option in given.items() if name in _ONLY_SUITE]
    if lonely:
        raise UsageProblem(f"{', '.join(lonely)}: only with --suite. Add it, or leave this out.")


def run(
    data: Path,
    annotations: Path,
    model: Path | None,
    sampling: tuple[int, int],
    threads: int,
    output: Path | None,
    force: bool,
) -> None:
    """Print the table and write the page.

    Args:
        sampling: bootstrap samples and their seed.
        output: None for `PAGE`. A page of an earlier suite is overwritten, anything else only with `force`.

    Raises:
        UsageProblem: the page cannot go to `output`.
        MiCoderError: the model cannot be read.
    """
    from mi_coder.evaluation.report import Options
    from mi_coder.evaluation.suite import SuiteOptions, inputs, run_suite
    from mi_coder.evaluation.suite_page import TITLE, count
    from mi_coder.formats.atomic import atomic_file

    samples, seed = sampling
    options = SuiteOptions(
        data=data,
        annotations=annotations,
        model=model,
        threads=threads,
        options=Options(samples=samples, seed=seed),
    )
    page = output or PAGE
    if not page.parent.is_dir():
        where = (
            "Name a file in a folder that exists."
            if output
            else "Run --suite in a checkout of the project, with the corpora beside it."
        )
        raise UsageProblem(f"There is no folder {page.parent} here. {where}")
    new_file(page, force, inputs(options), ours=lambda path: path.read_bytes().startswith(TITLE.encode()))
    found = run_suite(options, lambda stage: click.echo(f"{stage} ...", err=True))
    click.echo(found.table(markdown=False))
    click.echo(count(found.met, found.judged, len(found.rows)), err=True)
    with atomic_file(page) as file:
        file.write(found.to_markdown().encode())
    click.echo(f"The reports are in {page}.", err=True)
