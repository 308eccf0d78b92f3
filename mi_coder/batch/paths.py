"""The files of a run, and where its output goes."""

from dataclasses import dataclass
from pathlib import Path

from mi_coder.errors import UsageProblem
from mi_coder.formats.compress import compression_of
from mi_coder.formats.sniff import format_of_path

STDIO = "-"
_KEPT = (".jsonl", ".csv", ".tsv")
_JSONL = ".jsonl"

FileIdentity = tuple[int, int] | Path


@dataclass(frozen=True)
class RunPaths:
    """The files of one run beside its output.

    Attributes:
        source: input file or ConvoKit folder, or - for standard input.
        output: the tagged file.
    """

    source: str
    output: Path

    @property
    def part(self) -> Path:
        """The growing output: JSON Lines, whatever the format of `output`."""
        return self.output.with_name(self.output.name + ".part")

    @property
    def rejects(self) -> Path:
        """The list of rejected records."""
        return self._beside(".rejects.jsonl")

    @property
    def rejects_part(self) -> Path:
        """The growing list of rejected records."""
        return self.rejects.with_name(self.rejects.name + ".part")

    @property
    def meta(self) -> Path:
        """The sidecar of a finished output."""
        return self._beside(".meta.json")

    @property
    def journal(self) -> Path:
        """Is there from the first write of a run to its last."""
        return self.output.with_name(self.output.name + ".journal")

    @property
    def lock(self) -> Path:
        """Is there while a run is at work."""
        return self.output.with_name(self.output.name + ".lock")

    @property
    def written(self) -> tuple[Path, ...]:
        """Every file that the run may leave."""
        return self.output, self.part, self.rejects, self.rejects_part, self.meta, self.journal, self.lock

    def _beside(self, suffix: str) -> Path:
        """The sidecar with this suffix. No two outputs share one.

        The output `NAME.jsonl` gives NAME, an output NAME without a known suffix gives `NAME.jsonl`, and every other
        output gives its whole name.
        """
        name = self.output.name
        if format_of_path(name) is None:
            name += _JSONL
        elif name.endswith(_JSONL) and format_of_path(name.removesuffix(_JSONL)) is None:
            name = name.removesuffix(_JSONL)
        return self.output.with_name(name + suffix)


def identity(path: Path) -> FileIdentity:
    """What two names of one file have in common: links and spelling of the path do not count."""
    try:
        state = path.stat()
    except OSError:
        return path.parent.resolve() / path.name
    return (state.st_dev, state.st_ino) if state.st_ino else path.resolve()


def output_for(source: str, chosen: str | None, several: bool) -> Path:
    """The output of `source`: beside it as NAME.tagged.EXT, or where `chosen` (-o) says.

    `chosen` is a folder where it exists as one, ends in a slash, or there are several inputs. JSON Lines, CSV and TSV
    keep their format and compression; everything else becomes JSON Lines.

    Raises:
        UsageProblem: the choice does not fit.
    """
    if chosen is None:
        return Path(source).parent / _tagged_name(source)
    if several or chosen.endswith(("/", "\\")) or Path(chosen).is_dir():
        if Path(chosen).is_file():
            raise UsageProblem(f"{chosen} is a file, but there are several inputs. Name a folder with -o.")
        return Path(chosen) / _tagged_name(source)
    return Path(chosen)


def _tagged_name(source: str) -> str:
    path = Path(source)
    if path.is_dir():
        return f"{path.resolve().name}.tagged{_JSONL}"
    stem, extension, compression = _stem("stdin.jsonl" if source == STDIO else path.name)
    if extension not in _KEPT:
        extension = _JSONL
    return f"{stem}.tagged{extension}{compression}"


def _stem(name: str) -> tuple[str, str, str]:
    """A file name as stem, format suffix and compression suffix."""
    path = Path(name)
    compression = path.suffix if compression_of(path) else ""
    path = Path(name.removesuffix(compression))
    return path.stem, path.suffix.lower(), compression
