"""What the verbs that run a study file share."""

from pathlib import Path

from mi_coder.errors import UsageProblem, need

_MODELS = ("pandas", "scipy", "statsmodels")
_PICTURES = ("matplotlib",)


def need_analysis(pictures: bool = True) -> None:
    """Name the line that installs the extra `analysis` where it is not there.

    Args:
        pictures: the verb draws.

    Raises:
        MissingExtra: one of the packages that the verb uses is not installed.
    """
    for package in (*_MODELS, *(_PICTURES if pictures else ())):
        need(package, extra="analysis")


def folder_for(study: Path, output: Path | None, ending: str) -> Path:
    """The folder that the user names, else the study's name with an ending.

    Raises:
        UsageProblem: it is a file.
    """
    output = output or study.with_suffix(ending)
    if output.exists() and not output.is_dir():
        raise UsageProblem(f"{output} is a file. Name a folder.")
    return output
