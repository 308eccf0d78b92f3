"""What the commands that run a study file share."""

from pathlib import Path
from typing import TYPE_CHECKING

from mi_coder.errors import UsageProblem, need

if TYPE_CHECKING:
    from mi_coder.outcomes.study.spec import Study

OVERWRITE = "Overwrite files in the folder that no earlier run wrote, or that were changed since."
_MODELS = ("pandas", "scipy", "statsmodels")
_PICTURES = ("matplotlib",)


def need_analysis(pictures: bool = True) -> None:
    """Name the line that installs the extra `analysis` where it is not there.

    Args:
        pictures: the command draws figures.

    Raises:
        MissingExtra: one of the packages that the command uses is not installed.
    """
    for package in (*_MODELS, *(_PICTURES if pictures else ())):
        need(package, extra="analysis")


def folder_for(path: Path, study: "Study", output: Path | None, ending: str, force: bool) -> Path:
    """The folder that the user names, else the name of the study file with an ending.

    Args:
        path: the study file.
        force: overwrite files there that are not of an earlier run.

    Raises:
        UsageProblem: it is a file, or has files that are in the way; this is found before anything is fitted.
    """
    from mi_coder.outcomes.study.document import ALWAYS
    from mi_coder.outcomes.study.history import refuse_to_overwrite

    output = output or path.with_suffix(ending)
    if output.exists() and not output.is_dir():
        raise UsageProblem(f"{output} is a file. Name a folder.")
    refuse_to_overwrite(study, path.parent, output, ALWAYS, force)
    return output
