"""`mi-code adapt`: from chats without codes to an encoder that knows their language."""

from pathlib import Path

import click

from mi_coder.cli.options import Command, Finite
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.sigterm import ending_on_sigterm
from mi_coder.cli.train_progress import Shown
from mi_coder.errors import need

EXAMPLE = """\b
Example:
  mi-code adapt chats.jsonl -o encoder/ --minutes 60
  mi-code train gold.jsonl -o model/ --base encoder/
"""


@click.command("adapt", epilog=EXAMPLE, cls=Command)
@click.argument("chats", nargs=-1, required=True)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write; must be new or empty."
)
@click.option(
    "--base",
    default="minilm",
    show_default=True,
    help="Encoder: a folder, minilm (ships with the extra), mpnet (five packages ship it), or a Hugging Face hub name "
    "that is in the local cache.",
)
@click.option(
    "--epochs", default=3, show_default=True, type=click.IntRange(min=1), help="Epochs (passes over the chats)."
)
@click.option("--minutes", type=Finite(min=0, min_open=True), help="Most minutes for the training.")
@click.option("--max-tokens", default=128, show_default=True, type=int, help="Longest piece of a chat, in tokens.")
@click.option("--batch", default=32, show_default=True, type=click.IntRange(min=1), help="Pieces per step.")
@click.option("--lr", type=Finite(min=0, min_open=True), help="Peak learning rate.  [default: by size]")
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="Seed of everything random in training.",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: as torch chooses]")
@reading_options()
def command(
    chats: tuple[str, ...],
    output: Path,
    base: str,
    epochs: int,
    minutes: float | None,
    max_tokens: int,
    batch: int,
    lr: float | None,
    seed: int,
    threads: int | None,
    reading: Reading,
) -> None:
    """Train an encoder further on CHATS, without codes, so that it knows their language.

    It learns to predict hidden tokens (masked-language modeling). Leave out the chats on which a model is to be tested.
    The result is a base for mi-code train.
    """
    for module in ("torch", "transformers"):
        need(module, extra="train")
    from mi_coder.training.adapt import AdaptOptions, adapt

    options = AdaptOptions(
        epochs=epochs, minutes=minutes, max_tokens=max_tokens, batch=batch, lr=lr, seed=seed, threads=threads
    )
    with ending_on_sigterm():
        report = adapt(base, reading.conversations(chats), output, options, Shown())
    click.echo(
        f"{report.conversations} conversations, {report.tokens} tokens, {report.steps} steps. Perplexity of hidden "
        f"tokens in {report.held_out} held-out conversations: {report.before:.1f} before, {report.after:.1f} after."
    )
    click.echo(
        f"The encoder is in {report.folder}. Train from it:  mi-code train gold.jsonl --base {report.folder} -o model/",
        err=True,
    )
