"""Where a run reads and writes: defaults, and refusals before anything is touched."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_coder.errors import UsageProblem

STDIO = "-"
_COMPRESSIONS = (".gz", ".zst")
_KEPT = (".jsonl", ".csv", ".tsv")


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
        return self._beside(".rejects.jsonl")

    @property
    def rejects_part(self) -> Path:
        return self.rejects.with_name(self.rejects.name + ".part")

    @property
    def meta(self) -> Path:
        return self._beside(".meta.json")

    @property
    def journal(self) -> Path:
        return self.output.with_name(self.output.name + ".journal")

    @property
    def lock(self) -> Path:
        return self.output.with_name(self.output.name + ".lock")

    @property
    def written(self) -> tuple[Path, ...]:
        """Every file that the run may leave."""
        return self.output, self.part, self.rejects, self.rejects_part, self.meta, self.journal, self.lock

    def _beside(self, suffix: str) -> Path:
        """`NAME.jsonl` gives its stem; other outputs their whole name, so that no two formats share a sidecar."""
        return self.output.with_name(self.output.name.removesuffix(".jsonl") + suffix)


def expand(patterns: Sequence[str]) -> list[str]:
    """Resolve globs; a name that exists is taken as it is.

    Raises:
        UsageProblem: nothing matches.
    """
    found: list[str] = []
    for pattern in patterns:
        if pattern == STDIO or Path(pattern).exists():
            found.append(pattern)
            continue
        # Path.glob refuses absolute patterns.
        matches = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else []  # noqa: PTH207
        if not matches:
            raise UsageProblem(
                f"{pattern}: there is no such file. Check the name, or quote a pattern such as 'chats/*.jsonl'."
            )
        found += matches
    return list(dict.fromkeys(found))


def plan(sources: Sequence[str], chosen: str | None) -> list[RunPaths]:
    """The runs over `sources`. A source that another of the runs writes is left out, since patterns find outputs too.

    Raises:
        UsageProblem: a run would write over its own source, two sources have the same output, or as `output_for`.
    """
    runs = [RunPaths(source, output_for(source, chosen, len(sources) > 1)) for source in sources]
    for run in runs:
        if Path(run.source).resolve() in {path.resolve() for path in run.written}:
            raise UsageProblem(f"{run.source} would be overwritten by its own run. Name another output with -o.")
    written = {path.resolve() for run in runs for path in run.written}
    first: dict[Path, RunPaths] = {}
    for run in runs:
        if Path(run.source).resolve() in written:
            continue
        other = first.setdefault(run.output.resolve(), run)
        if other is not run:
            raise UsageProblem(
                f"{other.source} and {run.source} would both be written to {run.output}. "
                "Tag them one after the other, each with its own -o."
            )
    return list(first.values())


def output_for(source: str, chosen: str | None, several: bool) -> Path:
    """The output of `source`: beside it as NAME.tagged.EXT, or where `chosen` (-o) says.

    `chosen` is a folder where it exists as one, ends in a slash, or there are several inputs. JSON Lines, CSV and TSV
    keep their format and compression; everything else becomes JSON Lines.

    Raises:
        UsageProblem: the choice does not fit, or would overwrite the input.
    """
    if chosen is None:
        output = Path(source).parent / _tagged_name(source)
    elif several or chosen.endswith(("/", "\\")) or Path(chosen).is_dir():
        if Path(chosen).is_file():
            raise UsageProblem(f"-o {chosen} is a file, but there are several inputs. Name a folder.")
        output = Path(chosen) / _tagged_name(source)
    else:
        output = Path(chosen)
    if source != STDIO and output.resolve() == Path(source).resolve():
        raise UsageProblem(f"{output} is the input itself. Name another output with -o.")
    if output.is_symlink():
        raise UsageProblem(f"{output} is a link; writing would replace it. Name the file that it points to.")
    return output


def _tagged_name(source: str) -> str:
    path = Path(source)
    if path.is_dir():
        return f"{path.resolve().name}.tagged.jsonl"
    stem, extension, compression = _stem("stdin.jsonl" if source == STDIO else path.name)
    if extension not in _KEPT:
        extension = ".jsonl"
    return f"{stem}.tagged{extension}{compression}"


def _stem(name: str) -> tuple[str, str, str]:
    """A file name as stem, format suffix and compression suffix."""
    path = Path(name)
    compression = path.suffix if path.suffix.lower() in _COMPRESSIONS else ""
    path = Path(name[: len(name) - len(compression)])
    return path.stem, path.suffix.lower(), compression
