"""`mi-code train`: from gold codes to a model folder."""

from datetime import date
from pathlib import Path

import click

from mi_coder.cli.learning import Fitting, Learning, learning_options
from mi_coder.cli.options import Command
from mi_coder.cli.reading import Reading, reading_options
from mi_coder.cli.sigterm import ending_on_sigterm
from mi_coder.cli.train_progress import Shown
from mi_coder.cli.train_report import show
from mi_coder.errors import need

EXAMPLE = """\b
Example:
  mi-code corpora convert esconv --root data -o esconv.jsonl
  mi-code train esconv.jsonl practice.jsonl -o model/ --epochs 4 --seed 1
  mi-code tag chats.jsonl --model model/
Continue training from the bundled model, with a few hundred coded messages of your own:
  mi-code train gold.jsonl -o model/ --base bundled --epochs 12 --freeze-words --dropout 0
Another encoder, with more epochs and more patience:
  mi-code train gold.jsonl -o large/ --base mpnet --lr 2e-5 --epochs 10 --patience 3
A small model that learns from two others:
  mi-code train gold.jsonl -o small/ --base minilm --teacher a/ --teacher b/ --teacher-share 0.7
The same, also learning from copies of the chats with mixed sentences:
  mi-code train gold.jsonl -o small/ --base minilm --teacher a/ --mixed 1
Two halves of the gold teach each other:
  mi-code train gold.jsonl -o a/ --leave-out 1/2
  mi-code train gold.jsonl -o b/ --leave-out 2/2
  mi-code train gold.jsonl -o taught/ --teacher a/ --teacher b/
More weight for rare codes, and less context:
  mi-code train gold.jsonl -o model/ --weighting inverse --context 3
"""


@click.command("train", epilog=EXAMPLE, cls=Command)
@click.argument("gold", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write; must be new or empty."
)
@click.option(
    "--base",
    help="Encoder: a folder, minilm (ships with the extra), mpnet (five packages ship it), or a Hugging Face hub name "
    "that is in the local cache. Or a model from which to continue training: bundled, or a model folder.  [default: "
    "FacebookAI/roberta-base where the cache has it, else minilm]",
)
@click.option("--name", default="mi-coder", show_default=True, help="Name of the model.")
@click.option("--model-version", "version", help="Version of the model, such as a date or a number.  [default: today]")
@learning_options()
@click.option(
    "--test", is_flag=True, help="Print the figures on the test part too. Do this once, when all choices are made."
)
@reading_options()
def command(
    gold: tuple[Path, ...],
    output: Path,
    base: str | None,
    name: str,
    version: str | None,
    fitting: Fitting,
    learning: Learning,
    test: bool,
    reading: Reading,
) -> None:
    """Train a tagger on files with GOLD codes.

    Conversations are put into training, dev and test parts by their field split, else by a hash of their source_group
    or id. Codes that the gold does not settle are missing, not negative. A TF-IDF baseline is trained on the same
    messages for comparison. Both are scored on dev and test. The figures on dev are printed: choose settings by these.

    Training ends early when --patience epochs bring nothing better on dev, and the best epoch is kept. It stops with an
    error when the loss is no longer a number, or is 1.5 times the loss of always predicting the base rates. It runs on
    a GPU if there is one, and in bfloat16 if the device computes in it natively.

    With --base bundled or the folder of a model, training continues from its weights. What it knows of codes that the
    gold lacks stays. Its license applies to the new model.

    An interrupted training is resumed after its last whole epoch when the same command is given again; until it is
    done, its state is kept beside the output in a folder that ends in .checkpoint. If that state is of another
    training, the command says what differs and starts over.
    """
    for module in ("torch", "transformers", "sklearn", "onnx"):
        need(module, extra="train")
    from transformers.utils import logging

    from mi_coder.training.base import ROBERTA, default_base
    from mi_coder.training.device import find_device
    from mi_coder.training.run import TrainOptions, train

    learning.check(base)
    find_device(fitting.device)
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
        funnel=learning.funnel(),
        window=learning.window(),
        read=reading.options(overwrite=True),
        fit=fitting.options(),
        teaching=learning.teaching(),
        mixed=learning.mixed or 0,
        leave_out=learning.leave_out,
        keep=learning.keep or 0.0,
    )
    with ending_on_sigterm():
        report = train(options, Shown())
    show(report, test)
