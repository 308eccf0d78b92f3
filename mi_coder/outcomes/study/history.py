"""Where results come from: hashes of study, data and codebook, and histories that tell first runs from later ones.

There are two histories, with a line of JSON per run: `history.jsonl` in the output folder, and `.study.history.jsonl`
beside the study file, so that a study that is changed and written to a new folder is told too. Neither holds anything
of a chat.
"""

import errno
import hashlib
import importlib.metadata
import json
import platform
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

import mi_coder
from mi_coder.batch.paths import FileIdentity, identity
from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.formats.atomic import atomic_file, remove_left_behind
from mi_coder.outcomes.study.spec import Study

LOG = "history.jsonl"
STUDY_LOG = ".study.history.jsonl"
RESOLVED, FACTS = "study.resolved.yaml", "run.json"
_PACKAGES = ("numpy", "pandas", "scipy", "statsmodels")
_OF_ONE_VERB = {"match": "matching", "experience": "experience"}
"""The command that a part of the study is for; others do not read it."""
_DIGITS = 16
"""Of a SHA-256 in a history."""
_ELSEWHERE = "Name another folder with -o."
Run = dict[str, Any]


def record(
    study: Study,
    folder: Path,
    output: Path,
    verb: str,
    files: Collection[str],
    render: Callable[[Run], Mapping[str, bytes]],
    force: bool = False,
) -> Run:
    """Write a run to `output`, with the resolved study and its provenance, log it, and return its provenance.

    Each file is written whole or not at all, and none where a file is in the way. Before that files go that the last
    run of the same verb wrote to `output` and this one does not, unless they were changed or the study reads them.

    Args:
        folder: of the study file, and what the paths in the study start from.
        output: made if it does not exist.
        verb: the command.
        files: names of what is to be written to `output`.
        render: the contents of `files`, from the provenance.
        force: as in `refuse_to_overwrite`.

    Raises:
        UsageProblem: as `refuse_to_overwrite` says.
    """
    refuse_to_overwrite(study, folder, output, files, force)
    in_output, problems = read_log(output / LOG)
    beside, more_problems = read_log(folder / STUDY_LOG)
    stale, changed = _stale(output, verb, in_output, {RESOLVED, FACTS, *files})
    facts = provenance(study, folder, verb, in_output, beside)
    facts["remarks"] = [
        *problems,
        *more_problems,
        *_unwritable(folder / STUDY_LOG),
        *(
            f"{output / name} is from an earlier run and was changed since then: it does not belong to this run."
            for name in changed
        ),
    ]
    contents = {
        RESOLVED: study.to_yaml().encode(),
        FACTS: json.dumps(facts, indent=2).encode() + b"\n",
        **render(facts),
    }
    run = {name: facts[name] for name in ("run", "time", "verb", "study", "design", "fields", "data", "codebook")}
    output.mkdir(parents=True, exist_ok=True)
    # Before the files, so that those of a run that is killed are known as its own, and none of the last run stays.
    hashes = {name: hashlib.sha256(contents[name]).hexdigest()[:_DIGITS] for name in sorted(contents)}
    _add_to_log(output / LOG, {**run, "files": hashes})
    inputs = _inputs(study, folder)
    for path in (output / name for name in stale):
        if identity(path) not in inputs:
            path.unlink(missing_ok=True)
    remove_left_behind(*(output / name for name in contents))
    for name, content in contents.items():
        with atomic_file(output / name) as file:
            file.write(content)
    if not _unwritable(folder / STUDY_LOG):
        _add_to_log(folder / STUDY_LOG, run)
    return facts


def refuse_to_overwrite(study: Study, folder: Path, output: Path, files: Collection[str], force: bool = False) -> None:
    """Refuse a run that would overwrite what no earlier run wrote to `output`.

    Args:
        folder, files: as in `record`.
        force: overwrite any regular file that is not an input.

    Raises:
        UsageProblem: one of the files to write is an input of the study, a link or no regular file; or, without
            `force`, it is there and not as an earlier run wrote it.
    """
    inputs = _inputs(study, folder)
    paths = [output / name for name in sorted({LOG, RESOLVED, FACTS, *files})]
    for path in (*paths, folder / STUDY_LOG):
        if identity(path) in inputs:
            raise UsageProblem(f"{path} is an input and would be overwritten. {_ELSEWHERE}")
    there = [path for path in paths if path.is_symlink() or path.exists()]
    for path in there:
        if path.is_symlink() or not path.is_file():
            raise UsageProblem(f"{path} is a link, folder, pipe or device. {_ELSEWHERE}")
    if force:
        return
    runs = read_log(output / LOG)[0]
    for path in there:
        if not _is_of(runs, path):
            raise UsageProblem(
                f"{path} exists, and the history of this folder does not list it as it is now. Overwrite it with "
                "--force, or name another folder with -o."
            )


def _inputs(study: Study, folder: Path) -> set[FileIdentity]:
    """The files that a study reads, its own among them."""
    named = [folder / name for name in data_files(study)]
    return set(map(identity, [*named, study.data.file] if study.data.file else named))


def _is_of(runs: Sequence[Run], path: Path) -> bool:
    """Whether one of the runs wrote a file of the output folder as it is."""
    if path.name == LOG:
        return bool(runs)
    found = _hash(path)
    return any(run.get("files", {}).get(path.name) == found for run in runs)


def provenance(study: Study, folder: Path, verb: str, in_output: Sequence[Run], beside: Sequence[Run]) -> Run:
    """What a result must be reported with.

    `exploratory` is true where another study was run before: by the same verb into the same folder, or on the same
    outcomes in the same data. Parts of the study that the verb does not read may differ.

    Args:
        folder: what the paths in the study start from.
        in_output, beside: earlier runs, of the history in the output folder and beside the study file.
    """
    design, fields = _design(study, verb), sorted({each for outcome in study.outcomes for each in outcome.fields})
    data = {path: _hash(folder / path) for path in data_files(study)}
    earlier = [run for run in in_output if run.get("verb", verb) == verb]
    known = {run["run"] for run in earlier if "run" in run}
    elsewhere = [
        run
        for run in beside
        if run.get("verb") == verb and run.get("run") not in known and _same_question(run, data, fields)
    ]
    runs = sorted([*earlier, *elsewhere], key=lambda run: str(run.get("time", "")))
    return {
        "run": uuid.uuid4().hex,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "verb": verb,
        "study": study.digest,
        "design": design,
        "fields": fields,
        "data": data,
        "codebook": Codebook.load().hash,
        "first_study": runs[0]["study"] if runs else study.digest,
        "exploratory": any(_other_study(run, study.digest, design) for run in runs),
        "runs_before": len(runs),
        "versions": {
            "mi_coder": mi_coder.__version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
    }


def data_files(study: Study) -> list[str]:
    """The files that a study reads, as it names them: chats, counts, outcomes and gold."""
    named = (
        *study.data.chats,
        study.data.counts,
        study.data.outcomes,
        *study.label_error.gold,
        study.label_error.counts,
    )
    return [path for path in named if path]


def remarks(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What a report says of a run before all else: that it is exploratory, and what is wrong with its histories."""
    if not facts["exploratory"]:
        return tuple(facts["remarks"])
    count = facts["runs_before"]
    return (
        "Exploratory: the study file was changed after a first run into this folder, or on the same outcomes of the "
        f"same data ({'1 run' if count == 1 else f'{count} runs'} before). Report it as exploratory, or repeat it on "
        "new data.",
        *facts["remarks"],
    )


def read_log(log: Path) -> tuple[list[Run], list[str]]:
    """The runs of a history, and sentences about lines that cannot be read; a missing file is an empty history."""
    try:
        lines = log.read_bytes().splitlines()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [f"{log} cannot be read ({error.strerror}): earlier runs in it are not counted."]
    runs, problems = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            run = json.loads(line)
        except ValueError:
            run = None
        if _is_run(run):
            runs.append(run)
        else:
            problems.append(f"{log}:{number} is damaged: the run on this line is not counted.")
    return runs, problems


def _is_run(run: object) -> bool:
    if not isinstance(run, dict) or not isinstance(run.get("study"), str):
        return False
    kinds = {"run": str, "verb": str, "design": str, "fields": list, "data": dict, "files": dict}
    return all(isinstance(run[name], kind) for name, kind in kinds.items() if name in run)


def _other_study(run: Run, study: str, design: str) -> bool:
    return bool(run["design"] != design if "design" in run else run["study"] != study)


def _same_question(run: Run, data: Mapping[str, str], fields: Collection[str]) -> bool:
    """Whether a run looked at one of the outcomes in one of the files: the same by name, or by content."""
    before = run.get("data", {})
    same_data = bool(before.keys() & data.keys() or set(before.values()) & set(data.values()))
    return same_data and bool(set(run.get("fields", ())) & set(fields))


def _stale(output: Path, verb: str, runs: Sequence[Run], files: Collection[str]) -> tuple[list[str], list[str]]:
    """Files of the last run of the verb that are there and not written now: those as they were written, and others."""
    last: Mapping[str, str] = next(
        (run["files"] for run in reversed(runs) if run.get("verb") == verb and "files" in run), {}
    )
    there = [
        name
        for name in sorted(set(last) - set(files))
        if Path(name).name == name and (output / name).is_file() and not (output / name).is_symlink()
    ]
    stale = [name for name in there if _hash(output / name) == last[name]]
    return stale, [name for name in there if name not in stale]


def _unwritable(log: Path) -> list[str]:
    """A sentence where a history cannot be kept."""
    try:
        if log.is_symlink():
            raise OSError(errno.ELOOP, "it is a link")
        with log.open("a", encoding="utf-8"):
            return []
    except OSError as error:
        return [
            f"No history could be kept in {log} ({error.strerror}): a change of the study file will be noticed only "
            "in runs into the same output folder."
        ]


def _add_to_log(log: Path, run: Mapping[str, Any]) -> None:
    with log.open("a+b") as file:
        # The last line may have been cut off.
        file.seek(0, 2)
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(run).encode() + b"\n")


def _design(study: Study, verb: str) -> str:
    """Hash of those parts of the study that the verb reads."""
    unread = {part: None for other, part in _OF_ONE_VERB.items() if other != verb}
    return msgspec.structs.replace(study, **unread).digest


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]
