"""`result.json`: what a study found, for programs, in the folder of `mi-code relate`, `match` or `experience`."""

from pathlib import Path
from typing import Any

import msgspec

from mi_coder.errors import UsageProblem

NAME = "result.json"


class ResultFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the folder.

    Attributes:
        file: its name; pictures stand there as PNG too.
        kind: report, table, or what a picture shows: forest, predicted, error, love, overlap, curves.
        title: what stands above it in the report; empty for reports.
    """

    file: str
    kind: str
    title: str = ""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What a study found.

    Attributes:
        verb: which command wrote it.
        sentences: what can and what cannot be said.
        notes: what was left out or could not be done, and why.
        provenance: hashes of study, data and codebook, versions, and whether the study was changed after a first run.
    """

    verb: str
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    provenance: dict[str, Any]
    files: tuple[ResultFile, ...]


def encoded(results: Results) -> bytes:
    """What stands in `result.json`."""
    return msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n"


def read_results(folder: Path, verb: str) -> Results:
    """Read `result.json` of a folder that `mi-code VERB` wrote.

    Raises:
        UsageProblem: there is none, as in folders of older versions, or it is of another verb.
    """
    path = folder / NAME
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results)
    except FileNotFoundError:
        raise UsageProblem(
            f"{folder} has no {NAME}: name a folder that mi-code {verb} wrote. Where an older version wrote it, run "
            f"mi-code {verb} again."
        ) from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageProblem(f"{path} cannot be read: {error}. Run mi-code {verb} again.") from None
    if results.verb != verb:
        raise UsageProblem(f"{folder} contains results of mi-code {results.verb}: name a folder of mi-code {verb}.")
    return results
