"""`mi-code train`: gold codes in, model folder out."""

import math
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mi_coder.cli.options import Finite
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.sigterm import ending_on_sigterm
from mi_coder.cli.train_progress import Shown
from mi_coder.errors import need
from mi_coder.evaluation import render
from mi_coder.tagger.config import MAX_CONTEXT

if TYPE_CHECKING:
    from mi_coder.evaluation.report import Versus
    from mi_coder.training.device import Device
    from mi_coder.training.fold import Fold
    from mi_coder.training.run import TrainReport

EXAMPLE = """\b
Example:
  mi-code corpora convert esconv --root data -o esconv.jsonl
  mi-code train esconv.jsonl practice.jsonl -o model/ --epochs 4 --seed 1
  mi-code tag chats.jsonl --model model/
From the bundled model on, with a few hundred coded messages of your own:
  mi-code train gold.jsonl -o model/ --base bundled --epochs 12 --freeze-words --dropout 0
Another encoder, for more passes and with more patience:
  mi-code train gold.jsonl -o large/ --base mpnet --lr 2e-5 --epochs 10 --patience 3
A small model that learns from two others:
  mi-code train gold.jsonl -o small/ --base minilm --teacher a/ --teacher b/ --teacher-share 0.7
The same, from copies of the chats with mixed sentences, too:
  mi-code train gold.jsonl -o small/ --base minilm --teacher a/ --mixed 1
Two halves of the gold teach each other:
  mi-code train gold.jsonl -o a/ --leave-out 1/2
  mi-code train gold.jsonl -o b/ --leave-out 2/2
  mi-code train gold.jsonl -o taught/ --teacher a/ --teacher b/
Rare codes count more, and less context is read:
  mi-code train gold.jsonl -o model/ --weighting inverse --context 3
"""


def _fold(context: click.Context, parameter: click.Parameter, value: str | None) -> "Fold | None":
    from mi_coder.training.fold import Fold

    try:
        return None if value is None else Fold.parse(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no fold; write 1/2 for the first of two.", context, parameter) from None


@click.command("train", epilog=EXAMPLE)
@click.argument("gold", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write; must be new or empty."
)
@click.option(
    "--base",
    help="Encoder: a folder, minilm (ships with the extra), mpnet (five packages ship it), or a Hugging Face hub name "
    "that is in the local cache. Or a model to go on from: bundled, or a model folder.  [default: "
    "FacebookAI/roberta-base where the cache has it, else minilm]",
)
@click.option("--name", default="mi-coder", show_default=True, help="Name of the model.")
@click.option("--model-version", "version", help="Version of the model, such as a date or a number.  [default: today]")
@click.option("--epochs", default=4, show_default=True, type=click.IntRange(min=1), help="Most passes over the gold.")
@click.option(
    "--patience",
    default=2,
    show_default=True,
    type=click.IntRange(min=1),
    help="Epochs without a better dev result after which training ends.",
)
@click.option("--batch", default=32, show_default=True, type=click.IntRange(min=1), help="Messages per step.")
@click.option(
    "--lr",
    type=Finite(min=0, min_open=True),
    help="Peak learning rate.  [default: 1e-4, large encoders 3e-5]",
)
@click.option(
    "--context",
    type=click.IntRange(0, MAX_CONTEXT),
    help="Previous messages that are read.  [default: 5, or as the model that training goes on from]",
)
@click.option(
    "--context-layers",
    type=click.IntRange(min=0),
    help="First layers that compute message and context; the next one reads the context a last time, and the message "
    "goes on alone. Fewer tag faster.  [default: all]",
)
@click.option(
    "--first-token-layers",
    type=click.IntRange(min=1),
    help="Last layers that compute the first token only; more tag faster. Needs --context-layers.  [default: 1]",
)
@click.option(
    "--layer-decay",
    type=Finite(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Factor on the learning rate of a layer for every layer above it.",
)
@click.option("--freeze-words", is_flag=True, help="Leave the word vectors of the encoder as they are: quicker.")
@click.option(
    "--dropout",
    type=Finite(0, 1, max_open=True),
    help="Share of the encoder's units hidden in a step; 0 is nearly twice as quick.  [default: the encoder's own]",
)
@click.option(
    "--word-dropout",
    type=Finite(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of the words of message and context that are left out in a step, so that none is learned by heart.",
)
@click.option(
    "--context-dropout",
    type=Finite(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of the messages that are read without their context in a step, to tell those, too, that have none.",
)
@click.option(
    "--average",
    type=Finite(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Judge and keep the running mean of the weights, of which a step keeps this share, such as 0.998, in place of "
    "the last weights: steadier.",
)
@click.option(
    "--weighting",
    type=click.Choice(["none", "root", "inverse"]),
    default="root",
    show_default=True,
    help="How much more the positives of rare codes count: not, by the root of negatives per positive, or by these.",
)
@click.option(
    "--logit-adjustment",
    type=Finite(min=0),
    default=0.0,
    show_default=True,
    help="Share of the log odds of its base rate that is added to the logit of a code in training; its bias takes most "
    "of it up.",
)
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Model folder whose probabilities are learned beside the gold, and for messages without gold; give it several "
    "times for the mean of several. Of a conversation that trained some of them, the others alone tell.",
)
@click.option(
    "--teacher-share",
    type=Finite(0, 1),
    help="Weight of the teachers where gold tells a code too. Needs --teacher.  [default: 0.5]",
)
@click.option(
    "--mixed",
    type=click.IntRange(min=1),
    metavar="N",
    help="Let the teachers also tell N copies of every training conversation in which the counselor's sentences are "
    "mixed with others, and learn from these too. Needs --teacher and the extra nlp.",
)
@click.option(
    "--leave-out",
    callback=_fold,
    metavar="K/N",
    help="Train without fold K of N of the training conversations: a teacher that can tell their codes without "
    "repeating them.",
)
@click.option(
    "--keep",
    type=Finite(0, 1, max_open=True),
    help="Share of the weights of the model that training goes on from that is left in the new one: what is learned "
    "counts less, and less is lost on other chats. Needs a model as --base.  [default: 0]",
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**32 - 1))
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: as torch chooses]")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where it runs: auto is a GPU where torch sees one, else the CPU.",
)
@click.option("--test", is_flag=True, help="Print the figures on the test part too: once, when all is chosen on dev.")
@reading_options()
def command(
    gold: tuple[Path, ...],
    output: Path,
    base: str | None,
    name: str,
    version: str | None,
    epochs: int,
    patience: int,
    batch: int,
    lr: float | None,
    context: int | None,
    context_layers: int | None,
    first_token_layers: int | None,
    layer_decay: float,
    freeze_words: bool,
    dropout: float | None,
    word_dropout: float,
    context_dropout: float,
    average: float,
    weighting: Literal["none", "root", "inverse"],
    logit_adjustment: float,
    teachers: tuple[Path, ...],
    teacher_share: float | None,
    mixed: int | None,
    leave_out: "Fold | None",
    keep: float | None,
    seed: int,
    threads: int | None,
    device: "Device",
    test: bool,
    reading: Reading,
) -> None:
    """Train a tagger on files with GOLD codes.

    Conversations are put into training, dev and test parts by their field split, else by a hash of their source_group
    or id. Codes that the gold does not settle are missing, not negative. Beside the model, a TF-IDF baseline is trained
    on the same messages. Both are scored on dev and test; what is printed are the figures on dev, by which settings are
    chosen.

    Training ends early where --patience epochs bring nothing better on dev, and the best epoch is kept. Where the loss
    is no longer a number, or half as high again as that of always naming the base rates, it stops with an error. It
    runs on a GPU where there is one, and in bfloat16 where the device computes in it itself.

    With --base bundled or the folder of a model, training goes on from its weights. What it knows of codes that the
    gold lacks stays. Its license applies to what comes out.

    A training that was broken off goes on after its last whole epoch when the same command is given again; until it is
    done, that state lies beside the output in a folder that ends in .checkpoint. Where it is of another training, the
    command says what differs and starts anew.
    """
    for module in ("torch", "transformers", "sklearn", "onnx"):
        need(module, extra="train")
    from transformers.utils import logging

    from mi_coder.tagger.config import Window
    from mi_coder.training.asking import REACH
    from mi_coder.training.base import ROBERTA, default_base
    from mi_coder.training.device import find_device
    from mi_coder.training.encoder import Funnel
    from mi_coder.training.fit import FitOptions
    from mi_coder.training.run import TrainOptions, train
    from mi_coder.training.start import names_model
    from mi_coder.training.teaching import Teaching

    if first_token_layers is not None and context_layers is None:
        raise click.UsageError("--first-token-layers needs --context-layers.")
    if teacher_share is not None and not teachers:
        raise click.UsageError("--teacher-share needs --teacher.")
    if mixed and not teachers:
        raise click.UsageError("--mixed needs --teacher.")
    if mixed:
        need("spacy", extra="nlp")
    if base and names_model(base) and {context, context_layers, first_token_layers} != {None}:
        raise click.UsageError(
            f"--base {base} is a model and reads what it was trained to read: leave --context, --context-layers and "
            "--first-token-layers out."
        )
    if keep is not None and not (base and names_model(base)):
        raise click.UsageError("--keep needs a model as --base, such as bundled.")
    find_device(device)
    if base is None:
        base = default_base()
        found = "is" if base == ROBERTA else "is not"
        click.echo(f"encoder: {base}, since {ROBERTA} {found} in the local Hugging Face cache", err=True)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options = TrainOptions(
        gold=gold,
        output=output,
        version=version or date.today().isoformat(),
        base=base,
        name=name,
        funnel=None if context_layers is None else Funnel(context_layers, first_token_layers or 1),
        window=Window(asking=REACH) if context is None else Window(asking=REACH).reading(context),
        read=reading.options(overwrite=True),
        fit=FitOptions(
            epochs=epochs,
            batch=batch,
            lr=lr,
            layer_decay=layer_decay,
            freeze_words=freeze_words,
            dropout=dropout,
            word_dropout=word_dropout,
            context_dropout=context_dropout,
            average=average,
            weighting=weighting,
            logit_adjustment=logit_adjustment,
            seed=seed,
            patience=patience,
            threads=threads,
            device=device,
        ),
        teaching=Teaching(teachers) if teacher_share is None else Teaching(teachers, teacher_share),
        mixed=mixed or 0,
        leave_out=leave_out,
        keep=keep or 0.0,
    )
    with ending_on_sigterm():
        report = train(options, Shown())
    _show(report, test)


def _show(report: "TrainReport", test: bool) -> None:
    click.echo(
        f"{'part':<6}{'messages':>10}{'codes':>7}{'macro-F1':>10}{'TF-IDF':>9}  difference with its 95 % interval"
    )
    for part, figures in [("dev", report.dev), *([("test", report.test)] if test else [])]:
        counted = sum(row.counted for row in figures.rows)
        click.echo(f"{part:<6}{figures.messages:>10}{counted:>7}{_versus(figures.macro)}")
        if not counted:
            click.echo(
                f"No code has {figures.options.min_support} messages in {part}, so there is no macro-F1. Exactly right "
                f"there: {render.versus(figures.exact)}.",
                err=True,
            )
    if report.config.untrained:
        click.echo(f"Codes that it cannot give, for want of gold: {', '.join(report.config.untrained)}.", err=True)
    click.echo(
        f"The model is in {report.folder}. What it can and cannot do, on the test part too: "
        f"{report.folder / 'MODEL_CARD.md'}",
        err=True,
    )


def _versus(macro: "Versus") -> str:
    values = (macro.coder.value, macro.baseline.value if macro.baseline else math.nan)
    own, beside = ("–" if math.isnan(value) else f"{value:.3f}" for value in values)
    return f"{own:>10}{beside:>9}  {render.figure(macro.difference, '+')}"
