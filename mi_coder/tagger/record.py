"""What a training leaves behind beside the model: `training.json`. Nothing in it is needed to tag."""

from pathlib import Path

import msgspec

from mi_coder.tagger.config import BadModel

RECORD_FILE = "training.json"


class EpochRecord(msgspec.Struct, frozen=True):
    """One epoch: mean losses per message, the macro-F1 on dev (None where no code could be judged), seconds."""

    train_loss: float
    dev_loss: float
    dev_f1: float | None
    seconds: float
    best: bool


class LayersRecord(msgspec.Struct, frozen=True):
    """How many first layers compute the context (None for all), and how many last ones the first token only."""

    context: int | None
    first_token: int


class TrainingRecord(msgspec.Struct, frozen=True):
    """How a model came to be.

    Attributes:
        settings: name and value of what decided the training, as in the model card.
        epochs: in order.
        macro_f1, macro_f1_fp32: by part (dev, test), of the file as it is and of the trained model before its weights
            were rounded to 8 bits, each with its own calibration and thresholds; None where no code could be judged.
        layers: what they compute; None in records of older versions.
    """

    settings: dict[str, str]
    epochs: list[EpochRecord]
    macro_f1: dict[str, float | None]
    macro_f1_fp32: dict[str, float | None]
    layers: LayersRecord | None = None


def write_record(record: TrainingRecord, folder: Path) -> None:
    """Write `training.json`."""
    (folder / RECORD_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def read_record(folder: Path) -> TrainingRecord | None:
    """The record of a model folder; None where it has none, as those of older versions.

    Raises:
        BadModel: the file is malformed.
    """
    path = folder / RECORD_FILE
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=TrainingRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadModel(f"{path}: {error}. Train the model again with `mi-code train`.") from error
