"""What helps against the problems of a run, in the options of `mi-code tag`."""

from mi_coder.batch.problems import Remedy, RunProblem
from mi_coder.errors import MiCoderError

_ADVICE = {
    Remedy.REPLACE: "Overwrite the output with --force, or choose another with -o.",
    Remedy.MOVE: "Move it away, or choose another output with -o.",
    Remedy.RESTART: "Start over with --no-resume.",
    Remedy.SKIP: "Fix the record, or skip it with --on-error skip.",
    Remedy.FORMAT: "Many of these usually mean another format: "
    "see --format, --text-field, --role-field and --conversation-field.",
    Remedy.RECODE: "Replace the existing codes with --overwrite.",
}
_GO_ON = "Run the same command again to resume."


def advised(problem: MiCoderError, go_on: str = _GO_ON) -> str:
    """The text of a problem with what helps.

    Args:
        go_on: how to take up the run.
    """
    remedy = problem.remedy if isinstance(problem, RunProblem) else None
    if remedy is None:
        return str(problem)
    return f"{problem} {go_on if remedy is Remedy.RESUME else _ADVICE[remedy]}"


def how_to_go_on(from_stdin: bool, afresh: bool) -> str:
    """How to take up a run: over standard input, with --force or --no-resume (`afresh`), or another."""
    if from_stdin:
        return "Standard input cannot be resumed; start over."
    if afresh:
        return "Run it again without --force and --no-resume to resume."
    return _GO_ON
