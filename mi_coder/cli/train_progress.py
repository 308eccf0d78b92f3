"""The progress of a training, on standard error."""

import math

import click

from mi_coder.cli.progress import redraws
from mi_coder.training.progress import Epoch, Progress

_BAR = 30


class Shown(Progress):
    """Writes to stderr. The bar is redrawn in place and only where stderr is a terminal."""

    def __init__(self) -> None:
        self._terminal = redraws()

    def stage(self, name: str) -> None:
        click.echo(f"{name} ...", err=True)

    def note(self, text: str) -> None:
        click.echo(text, err=True)

    def step(self, epoch: int, done: int, total: int) -> None:
        if self._terminal:
            filled = _BAR * done // total
            click.echo(f"\repoch {epoch} [{'#' * filled}{'.' * (_BAR - filled)}] {done}/{total}", err=True, nl=False)

    def epoch(self, epoch: Epoch) -> None:
        start = "\r\x1b[K" if self._terminal else ""
        click.echo(
            f"{start}epoch {epoch.number}: loss {epoch.train_loss:.3f}, dev loss {epoch.dev_loss:.3f}, "
            f"{_f1(epoch)}{epoch.seconds:.0f} s",
            err=True,
        )


def _f1(epoch: Epoch) -> str:
    if math.isnan(epoch.dev_f1):
        return ""
    return f"dev macro-F1 {epoch.dev_f1:.3f}{' (best)' if epoch.best else ''}, "
