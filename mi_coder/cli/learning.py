"""The options of `mi-code train` that say what is learned and how, and what they mean to the training."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mi_coder.cli.options import Decorator, Finite, grouped, section
from mi_coder.errors import need
from mi_coder.tagger.config import MAX_CONTEXT, Window

if TYPE_CHECKING:
    from mi_coder.training.device import Device
    from mi_coder.training.encoder import Funnel
    from mi_coder.training.fit import FitOptions
    from mi_coder.training.fold import Fold
    from mi_coder.training.teaching import Teaching


_encoder = section("What the encoder reads")
_fitting = section("How it is trained")
_teaching = section("Teachers")
_machine = section("Seed and machine")


@dataclass(frozen=True)
class Fitting:
    """How the encoder is fine-tuned, as the command line says it; the fields are those of FitOptions."""

    epochs: int
    patience: int
    batch: int
    lr: float | None
    layer_decay: float
    freeze_words: bool
    dropout: float | None
    word_dropout: float
    context_dropout: float
    average: float
    weighting: Literal["none", "root", "inverse"]
    logit_adjustment: float
    seed: int
    threads: int | None
    device: "Device"

    def options(self) -> "FitOptions":
        """The options of the fine-tuning."""
        from mi_coder.training.fit import FitOptions

        return FitOptions(**asdict(self))


@dataclass(frozen=True)
class Learning:
    """What is read, from which teachers, and what is kept, as the command line says it; None is not given."""

    context: int | None
    context_layers: int | None
    first_token_layers: int | None
    teachers: tuple[Path, ...]
    teacher_share: float | None
    mixed: int | None
    leave_out: "Fold | None"
    keep: float | None

    def check(self, base: str | None) -> None:
        """Stop where an option lacks what it needs.

        Args:
            base: what --base says.

        Raises:
            click.UsageError: it lacks another option, or does not go with the base.
            MissingExtra: sentences are to be mixed, and spaCy is not installed.
        """
        from mi_coder.training.start import names_model

        if self.first_token_layers is not None and self.context_layers is None:
            raise click.UsageError("--first-token-layers needs --context-layers.")
        if self.teacher_share is not None and not self.teachers:
            raise click.UsageError("--teacher-share needs --teacher.")
        if self.mixed and not self.teachers:
            raise click.UsageError("--mixed needs --teacher.")
        if self.mixed:
            need("spacy", extra="nlp")
        if base and names_model(base) and {self.context, self.context_layers, self.first_token_layers} != {None}:
            raise click.UsageError(
                f"--base {base} is a model and reads what it was trained to read: leave out --context, "
                "--context-layers and --first-token-layers."
            )
        if self.keep is not None and not (base and names_model(base)):
            raise click.UsageError("--keep needs a model as --base, such as bundled.")

    def funnel(self) -> "Funnel | None":
        """Which positions the layers compute; None for all in every layer."""
        from mi_coder.training.encoder import Funnel

        return None if self.context_layers is None else Funnel(self.context_layers, self.first_token_layers or 1)

    def window(self) -> Window:
        """What a new model reads."""
        from mi_coder.training.asking import REACH

        return Window(asking=REACH) if self.context is None else Window(asking=REACH).reading(self.context)

    def teaching(self) -> "Teaching":
        """Who teaches and how much."""
        from mi_coder.training.teaching import Teaching

        return Teaching(self.teachers) if self.teacher_share is None else Teaching(self.teachers, self.teacher_share)


def learning_options() -> Decorator:
    """Give a command the options of the training; they reach it as `fitting`, a Fitting, and `learning`, a Learning."""
    fitting = grouped("fitting", Fitting)
    # The options of both, in the order of the help.
    learning = grouped(
        "learning",
        Learning,
        _fitting(
            "--epochs",
            default=4,
            show_default=True,
            type=click.IntRange(min=1),
            help="Most epochs (passes over the gold).",
        ),
        _fitting(
            "--patience",
            default=2,
            show_default=True,
            type=click.IntRange(min=1),
            help="Training ends after this number of epochs without a better result on dev.",
        ),
        _fitting("--batch", default=32, show_default=True, type=click.IntRange(min=1), help="Messages per step."),
        _fitting(
            "--lr",
            type=Finite(min=0, min_open=True),
            help="Peak learning rate.  [default: 1e-4, large encoders 3e-5]",
        ),
        _encoder(
            "--context",
            type=click.IntRange(0, MAX_CONTEXT),
            help="Previous messages to read.  [default: 5, or as the model from which training continues]",
        ),
        _encoder(
            "--context-layers",
            type=click.IntRange(min=0),
            help="First layers that compute message and context; the next one reads the context a last time, and later "
            "ones compute the message alone. Fewer tag faster.  [default: all]",
        ),
        _encoder(
            "--first-token-layers",
            type=click.IntRange(min=1),
            help="Last layers that compute only the first token; more tag faster. Needs --context-layers.  "
            "[default: 1]",
        ),
        _fitting(
            "--layer-decay",
            type=Finite(0, 1, min_open=True),
            default=1.0,
            show_default=True,
            help="The learning rate of each layer is this factor times that of the layer above.",
        ),
        _fitting("--freeze-words", is_flag=True, help="Do not train the word vectors of the encoder: quicker."),
        _fitting(
            "--dropout",
            type=Finite(0, 1, max_open=True),
            help="Share of the encoder's units that are dropped in a step; 0 is nearly twice as fast.  "
            "[default: the encoder's own]",
        ),
        _fitting(
            "--word-dropout",
            type=Finite(0, 1, max_open=True),
            default=0.0,
            show_default=True,
            help="Share of the words of message and context that are left out in a step, so that none is memorized.",
        ),
        _fitting(
            "--context-dropout",
            type=Finite(0, 1, max_open=True),
            default=0.0,
            show_default=True,
            help="Share of the messages that are read without their context in a step, so that messages without "
            "context are labeled well too.",
        ),
        _fitting(
            "--average",
            type=Finite(0, 1, max_open=True),
            default=0.0,
            show_default=True,
            help="Evaluate and keep a running mean of the weights instead of the last weights: steadier. Each step "
            "keeps this share of the mean, such as 0.998.",
        ),
        _fitting(
            "--weighting",
            type=click.Choice(["none", "root", "inverse"]),
            default="root",
            show_default=True,
            help="Extra weight of messages that have a rare code: none; the square root of negatives per positive "
            "(root); or negatives per positive (inverse).",
        ),
        _fitting(
            "--logit-adjustment",
            type=Finite(min=0),
            default=0.0,
            show_default=True,
            help="Share of the log odds of a code's base rate that is added to its logit in training; its bias absorbs "
            "most of it.",
        ),
        _teaching(
            "--teacher",
            "teachers",
            multiple=True,
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Model folder whose probabilities are learned together with the gold, and for messages without gold. "
            "Repeatable: the mean of several is learned. A conversation is labeled only by teachers that were not "
            "trained on it.",
        ),
        _teaching(
            "--teacher-share",
            type=Finite(0, 1),
            help="Weight of the teachers where gold settles a code too. Needs --teacher.  [default: 0.5]",
        ),
        _teaching(
            "--mixed",
            type=click.IntRange(min=1),
            metavar="N",
            help="Let the teachers also label N copies of every training conversation in which the counselor's "
            "sentences are mixed with others, and learn from these too. Needs --teacher and the extra nlp.",
        ),
        _teaching(
            "--leave-out",
            callback=_fold,
            metavar="K/N",
            help="Train without fold K of N of the training conversations, to make a teacher that can label these "
            "without having memorized them.",
        ),
        _fitting(
            "--keep",
            type=Finite(0, 1, max_open=True),
            help="Share of the old weights in the new model, when training continues from a model: what is learned "
            "counts less, and less is lost on other chats. Needs a model as --base.  [default: 0]",
        ),
        _machine(
            "--seed",
            default=1,
            show_default=True,
            type=click.IntRange(0, 2**32 - 1),
            help="Seed of everything random in training.",
        ),
        _machine("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: as torch chooses]"),
        _machine(
            "--device",
            type=click.Choice(["auto", "cpu", "cuda"]),
            default="auto",
            show_default=True,
            help="Where it runs: auto is a GPU if torch finds one, else the CPU.",
        ),
    )
    return lambda command: learning(fitting(command))


def _fold(context: click.Context, parameter: click.Parameter, value: str | None) -> "Fold | None":
    from mi_coder.training.fold import Fold

    try:
        return None if value is None else Fold.parse(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no fold; write 1/2 for the first of two.", context, parameter) from None
