"""The journal of an unfinished run: how far input, output and rejects belong together."""

import hashlib
import os
from pathlib import Path

import msgspec

from mi_coder.batch.counts import Counts
from mi_coder.batch.paths import STDIO
from mi_coder.errors import UsageProblem
from mi_coder.formats.sniff import utterances_file

_SAMPLE = 1 << 20


class Fingerprint(msgspec.Struct, frozen=True):
    """What must be the same for a run to be resumed.

    Attributes:
        input: name, size, modification time and a hash of the first and last mebibyte.
        model: hashes of the model's files.
        options: every option that changes the output.
    """

    input: dict[str, str | int]
    model: dict[str, str]
    options: dict[str, str]

    def differences(self, other: "Fingerprint") -> list[str]:
        """Names of what differs, for people."""
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
        finished: everything is written and only the renaming is left.
    """

    fingerprint: Fingerprint
    items: int = 0
    input_byte: int = 0
    output_bytes: int = 0
    reject_bytes: int = 0
    counts: Counts = msgspec.field(default_factory=Counts)
    finished: bool = False


def read_journal(path: Path) -> Journal | None:
    """The journal at `path`, or None where there is none.

    Raises:
        UsageProblem: it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{path} is damaged ({error}). Start over with --no-resume.") from None


def fingerprint_of(source: str) -> dict[str, str | int]:
    """Name, size, time and a hash of both ends of a file (in a ConvoKit folder, of the utterances); the name of stdin.

    Raises:
        UsageProblem: the source is a pipe or a device.
        MiCoderError: a folder is no ConvoKit corpus.
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
    return {"name": name, "bytes": state.st_size, "modified_ns": state.st_mtime_ns, "ends": digest.hexdigest()}
