"""What a run shows on standard error: a bar while it works (only on a terminal) and a summary at its end."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mi_coder.batch.counts import Counts

_SECONDS_BETWEEN_UPDATES = 0.2
_BAR = 24
_USUAL = 80
# The place in these files is not an offset in the file itself.
_NOT_IN_BYTES = (".gz", ".zst", ".parquet")


class _Line:
    """A line that is drawn again and again in its place; silent where standard error is no terminal that can do so."""

    def __init__(self, quiet: bool = False) -> None:
        self._shown = not quiet and redraws()
        self._start = self._last = time.monotonic()
        self._dirty = False

    def _is_due(self) -> bool:
        """Whether there is somebody to see it, and the last drawing is some time ago."""
        now = time.monotonic()
        if not self._shown or now - self._last < _SECONDS_BETWEEN_UPDATES:
            return False
        self._last = now
        return True

    def _draw(self, text: str) -> None:
        click.echo(f"\r{text[: _columns() - 1]}\x1b[K", nl=False, err=True)
        self._dirty = True

    def close(self) -> None:
        """Take the line off the screen."""
        if self._dirty:
            click.echo("\r\x1b[K", nl=False, err=True)
            self._dirty = False


class Steps(_Line):
    """A progress bar of steps of which the number is known.

    Args:
        what: what the steps are, such as "messages".
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def __call__(self, done: int, of: int) -> None:
        if self._is_due():
            self._draw(f"{_bar(done / of)}{done:,} of {of:,} {self._what}")

    def stage(self, name: str) -> None:
        """Say what comes next, in a line that stays."""
        self.close()
        click.echo(f"{name} ...", err=True)


class Bar(_Line):
    """The progress bar of a file that is tagged."""

    def __init__(self, source: str, quiet: bool) -> None:
        super().__init__(quiet)
        self._quiet = quiet
        path = Path(source)
        self._name = path.name
        self._size = path.stat().st_size if path.is_file() and not source.endswith(_NOT_IN_BYTES) else None

    def __call__(self, reached: int, counts: "Counts") -> None:
        if self._is_due():
            speed = counts.messages / max(self._last - self._start, 1e-9)
            bar = _bar(min(1.0, reached / self._size)) if self._size else ""
            self._draw(f"{bar}{counts.messages:,} messages, {speed:,.0f}/s  {self._name}")

    def say(self, text: str) -> None:
        """Print a line for people, unless they asked for quiet."""
        if not self._quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Print a line that quiet does not hide."""
        self.close()
        click.echo(text, err=True)


def redraws() -> bool:
    """Whether standard error is a terminal on which a line can be drawn again in its place."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _columns() -> int:
    """The width of the terminal that standard error is."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL
    except (OSError, ValueError):
        return _USUAL


def _bar(share: float) -> str:
    return f"[{'=' * round(share * _BAR):{_BAR}}] {share:4.0%} "


def summary(counts: "Counts", output: str, rejects: str) -> str:
    """The table at the end of a run: codes by count, share for review, and what became of the records."""
    from mi_coder.formats import REJECT_CODES

    lines = [f"{'code':6}{'messages':>9}  share of messages"]
    for code, number in sorted(counts.codes.items(), key=lambda pair: (-pair[1], pair[0])):
        lines.append(f"{code:6}{number:>9,}{number / counts.messages:>19.1%}")
    lines.append("")
    share = f" ({counts.review / counts.messages:.1%})" if counts.messages else ""
    lines.append(
        f"{counts.messages:,} counselor messages coded; {counts.review:,}{share} flagged for review by a person."
    )
    if counts.truncated:
        lines.append(f"{counts.truncated:,} messages were longer than the model's window; their middle was not read.")
    if counts.empty:
        lines.append(f"{counts.empty:,} messages have no text and so no codes.")
    lines.append(
        f"{counts.read:,} records in = {counts.written:,} out + {counts.rejected:,} rejected. Output: {output}"
    )
    if counts.rejected:
        reasons = ", ".join(f"{number:,} {code}" for code, number in sorted(counts.rejects.items()))
        lines.append(f"Rejected: {reasons}. See {rejects}.")
        lines += [f"  {code}: {REJECT_CODES[code]}" for code in sorted(counts.rejects)]
    return "\n".join(lines)
