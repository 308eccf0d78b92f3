"""The journal of an unfinished run: how far input, output and rejects belong together."""

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from mi_coder.batch.counts import Counts
from mi_coder.batch.paths import STDIO
from mi_coder.batch.problems import Refused, Remedy
from mi_coder.errors import UsageProblem
from mi_coder.formats.atomic import PRIVATE, atomic_file
from mi_coder.formats.sniff import read_beside, utterances_file

_SAMPLE = 1 << 20


class Fingerprint(msgspec.Struct, frozen=True):
    """What must be the same for a run to be resumed.

    Attributes:
        input: name, size, modification time and a hash of the first and last mebibyte.
        model: SHA-256 of the files that decide labels, by name.
        options: every option that changes the output, by name.
        versions: of mi-coder and of what reads the text and runs the encoder, by name; a finished output may be of
            others. Empty where an older version did not note them.
    """

    input: dict[str, str | int]
    model: dict[str, str]
    options: dict[str, Any]
    versions: dict[str, str] = {}

    def other_versions(self, other: "Fingerprint") -> str:
        """The versions of `other` that are not these, for people; empty where there are none."""
        return "; ".join(
            f"{name} {other.versions.get(name, 'unknown')}, now {version}"
            for name, version in self.versions.items()
            if other.versions.get(name) != version
        )

    def differences(self, other: "Fingerprint") -> list[str]:
        """Names of what differs beside versions, for people."""
        names = ["the input file"] if self.input != other.input else []
        names += ["the model"] if self.model != other.model else []
        keys = sorted(self.options.keys() | other.options.keys())
        return names + [f"the option {key}" for key in keys if self.options.get(key) != other.options.get(key)]


class Journal(msgspec.Struct, frozen=True):
    """One checkpoint.

    Attributes:
        items: records and rejects that are finished.
        input_byte: offset in the decompressed input just after the last of them.
        output_bytes, reject_bytes: sizes of the two part files that belong to them.
        columns: those of the input, where it is a table.
        finished: everything is written and only the renaming is left.
    """

    fingerprint: Fingerprint
    items: int = 0
    input_byte: int = 0
    output_bytes: int = 0
    reject_bytes: int = 0
    counts: Counts = msgspec.field(default_factory=Counts)
    columns: tuple[str, ...] = ()
    finished: bool = False


def read_journal(path: Path) -> Journal | None:
    """The journal at `path`, or None where there is none.

    Raises:
        Refused: it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"The journal {path} is damaged ({error}).", Remedy.RESTART) from None


def write_journal(path: Path, journal: Journal) -> None:
    """Put a journal in the place of the one at `path`.

    Raises:
        MiCoderError: it cannot be written.
    """
    with atomic_file(path, PRIVATE) as file:
        file.write(msgspec.json.encode(journal))


def fingerprint_of(source: str) -> dict[str, str | int]:
    """Name, size, time and a hash of both ends of a file; the name of stdin.

    In a ConvoKit folder: of the utterances, with a hash of the files on speakers and conversations.

    Raises:
        UsageProblem: the source is a pipe or a device.
        MiCoderError: a folder is no ConvoKit corpus, or a file in it cannot be read.
    """
    if source == STDIO:
        return {"name": "stdin"}
    path = Path(source)
    file_path = utterances_file(path) if path.is_dir() else path
    if path.exists() and not file_path.is_file():
        raise UsageProblem(f"{source} is not a file on disk. Read it as a stream:  mi-code tag - < {source}")
    state = file_path.stat()
    digest = hashlib.sha256()
    with file_path.open("rb") as file:
        digest.update(file.read(_SAMPLE))
        file.seek(max(0, state.st_size - _SAMPLE))
        digest.update(file.read(_SAMPLE))
    name = os.fsencode(path.name).decode("utf-8", "replace")
    if path.is_dir():
        for beside in (path / "speakers.json", path / "conversations.json"):
            digest.update(read_beside(beside) or b"")
    return {"name": name, "bytes": state.st_size, "modified_ns": state.st_mtime_ns, "ends": digest.hexdigest()}
