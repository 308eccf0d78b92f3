"""Where results come from: hashes of study, data and codebook, and a log that tells first runs from later ones."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mi_coder
from mi_coder.codebook import Codebook
from mi_coder.outcomes.study.spec import Study

LOG = "history.jsonl"
_PACKAGES = ("numpy", "pandas", "scipy", "statsmodels")


def provenance(study: Study, folder: Path, log: Path) -> dict[str, Any]:
    """What a result must be reported with. `exploratory` is true where `log` holds a run of another study file.

    Args:
        folder: what the paths in the study start from.
        log: history of the output folder; a missing file is an empty history.
    """
    earlier = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "study": study.digest,
        "data": {path: _hash(folder / path) for path in _files(study)},
        "codebook": Codebook.load().hash,
        "first_study": earlier[0]["study"] if earlier else study.digest,
        "exploratory": any(run["study"] != study.digest for run in earlier),
        "runs_before": len(earlier),
        "versions": {
            "mi_coder": mi_coder.__version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
    }


@contextmanager
def recorded(study: Study, folder: Path, output: Path) -> Iterator[dict[str, Any]]:
    """Make `output` with the resolved study and its provenance, which is yielded; log the run when it is written.

    Args:
        folder: what the paths in the study start from.
    """
    output.mkdir(parents=True, exist_ok=True)
    facts = provenance(study, folder, output / LOG)
    (output / "study.resolved.yaml").write_text(study.to_yaml(), encoding="utf-8")
    (output / "run.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    yield facts
    add_to_log(output / LOG, facts)


def exploratory(facts: Mapping[str, Any]) -> str:
    """What a report says of a run that `provenance` calls exploratory; empty for others."""
    if not facts["exploratory"]:
        return ""
    return (
        f"Exploratory: the study file was changed after a first run into this folder ({facts['runs_before']} runs "
        "before). Report it as such, or repeat it on data that were not looked at."
    )


def add_to_log(log: Path, facts: Mapping[str, Any]) -> None:
    """Append a run."""
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({name: facts[name] for name in ("time", "study", "data", "codebook")}) + "\n")


def _files(study: Study) -> Iterable[str]:
    named = (
        *study.data.chats,
        study.data.counts,
        study.data.outcomes,
        *study.label_error.gold,
        study.label_error.counts,
    )
    return [path for path in named if path]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
