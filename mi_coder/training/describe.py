"""What a training says of itself: its settings, its record, its model card and its license."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mi_coder.corpora.parts import Part
from mi_coder.evaluation.card import CARD_FILE
from mi_coder.tagger.model import unchecked_model
from mi_coder.tagger.record import EpochRecord, LayersRecord, TrainingRecord
from mi_coder.training.card import Card, render_card
from mi_coder.training.encoder import Funnel
from mi_coder.training.fit import learning_rate
from mi_coder.training.license import LICENSE_FILE, Licensed, render_license
from mi_coder.training.model import Coder
from mi_coder.training.parts import PartData
from mi_coder.training.progress import Epoch
from mi_coder.training.start import Start
from mi_coder.training.teaching import Teaching

if TYPE_CHECKING:
    from mi_coder.training.run import TrainOptions, TrainReport


def settings_of(
    options: "TrainOptions",
    start: Start,
    model: Coder,
    epochs: Sequence[Epoch],
    beside: Mapping[str, bool],
) -> dict[str, str]:
    """What a model card says of the training.

    Args:
        beside: by attribute, whether it is predicted from the client's words too.
    """
    window = options.window
    best = next(epoch for epoch in epochs if epoch.best)
    return {
        "encoder": start.base,
        **_went_on(options, start),
        "previous messages that are read": str(window.context),
        "tokens": f"{window.max_tokens}, at most {window.context_tokens} of them for previous messages",
        "layers that compute the context": "all" if options.funnel is None else str(options.funnel.context_layers),
        "last layers that compute the first token only": str(
            options.funnel.first_token_layers if options.funnel else 0
        ),
        "epochs": f"{len(epochs)} run, number {best.number} kept",
        "messages per step": str(options.fit.batch),
        "learning rate": f"{learning_rate(model, options.fit):g}",
        "words left out in a step": f"{options.fit.word_dropout:g}",
        "messages read without context in a step": f"{options.fit.context_dropout:g}",
        "weights": f"running mean, {options.fit.average:g} of it kept in a step" if options.fit.average else "the last",
        "training conversations left out": f"fold {options.leave_out.number} of {options.leave_out.of}"
        if options.leave_out
        else "none",
        "weight of rare codes": f"{options.fit.weighting}, logit adjustment {options.fit.logit_adjustment:g}",
        "teachers": _teachers(options.teaching),
        "mixed copies of the training conversations": str(options.mixed),
        **{
            f"{attribute} is predicted from": "the encoder and the client's words" if joined else "the encoder"
            for attribute, joined in beside.items()
        },
        "previous messages that are searched for what the client asked": str(window.asking),
        "seed": str(options.fit.seed),
    }


def _teachers(teaching: Teaching) -> str:
    models = map(unchecked_model, teaching.teachers)
    named = ", ".join(f"{one.name} of {one.config.base}" for one in models)
    return f"{named}; share {teaching.share:g}" if named else "none"


def _went_on(options: "TrainOptions", start: Start) -> dict[str, str]:
    if not start.finished:
        return {}
    return {"continued from": start.finished.folder.name, "share of its weights that is kept": f"{options.keep:g}"}


def record_of(
    settings: dict[str, str], funnel: Funnel | None, report: "TrainReport", fp32: dict[str, float]
) -> TrainingRecord:
    """What `training.json` keeps of the training.

    Args:
        settings: as in the model card.
        fp32: macro-F1 by part before the weights were rounded; nan where no code could be judged.
    """
    return TrainingRecord(
        settings=settings,
        epochs=[
            EpochRecord(
                epoch.train_loss,
                epoch.dev_loss,
                _told(epoch.dev_f1),
                round(epoch.seconds, 1),
                epoch.best,
            )
            for epoch in report.epochs
        ],
        macro_f1={"dev": _told(report.dev.macro.coder.value), "test": _told(report.test.macro.coder.value)},
        macro_f1_fp32={part: _told(value) for part, value in fp32.items()},
        layers=LayersRecord(funnel.context_layers, funnel.first_token_layers) if funnel else LayersRecord(None, 0),
    )


def _told(value: float) -> float | None:
    """A figure as JSON has it: None where it is undefined."""
    return None if np.isnan(value) else value


def write_description(
    report: "TrainReport",
    start: Start,
    teachers: Sequence[Licensed],
    data: Mapping[Part, PartData],
    settings: dict[str, str],
    folder: Path,
) -> None:
    """Write `MODEL_CARD.md` and `LICENSE`.

    Args:
        settings: what the card says of the training (`settings_of`).
    """
    config = report.config
    went_on_from = Licensed(start.finished.folder.name, start.license) if start.finished else None
    encoder = Licensed(f"the encoder {start.base}", start.license) if start.license and not start.finished else None
    card = Card(
        config=config,
        sources=report.sources,
        went_on_from=went_on_from.name if went_on_from else "",
        teachers=tuple(one.name for one in teachers),
        sizes={part: (len(one.conversations), len(one.examples)) for part, one in data.items()},
        settings=settings,
        dev=report.dev,
        test=report.test,
    )
    (folder / CARD_FILE).write_text(render_card(card), encoding="utf-8")
    license = render_license(config.name, report.sources, config.base, went_on_from, teachers, encoder)
    (folder / LICENSE_FILE).write_text(license, encoding="utf-8")
