"""What a training tells while it runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to: mean losses per message, and the macro-F1 on dev (nan where no code can be judged)."""

    number: int
    train_loss: float
    dev_loss: float
    dev_f1: float
    seconds: float
    best: bool = False


class Progress:
    """Is told how the training goes. This one keeps silent; the command line shows it."""

    def step(self, epoch: int, done: int, total: int) -> None:
        """After every batch: `done` of `total` batches of the epoch."""

    def epoch(self, epoch: Epoch) -> None:
        """After every epoch."""

    def note(self, text: str) -> None:
        """When there is something to know, such as that an older state is gone on from."""

    def stage(self, name: str) -> None:
        """When another stage of the whole run starts."""
