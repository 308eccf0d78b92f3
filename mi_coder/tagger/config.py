"""What a model folder says of itself: `config.json`."""

from pathlib import Path
from typing import Annotated

import msgspec

from mi_coder.errors import MiCoderError

FORMAT = 1
CONFIG_FILE = "config.json"
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
ASKING_FILE = "asking.json"
LOADED_FILES = (MODEL_FILE, TOKENIZER_FILE)
"""Those that every model has; `asking.json` is one more of newer ones."""

MAX_CONTEXT = 100
MAX_TOKENS = 8192

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Coverage = Annotated[str, msgspec.Meta(pattern=r"^0\.[0-9]+$")]


class BadModel(MiCoderError):
    """A model folder that is incomplete, altered or made for another codebook."""


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a message and the messages before it become the tokens that the encoder reads.

    Attributes:
        context: how many previous messages are read.
        max_tokens: tokens of message and context, special tokens included.
        context_tokens: tokens that the context may fill at most; no more than `max_tokens`.
        asking: among how many previous messages the client's sentences are looked at for whether they ask for advice
            (`mi_coder.tagger.asking`). Older models look at none.
    """

    context: Annotated[int, msgspec.Meta(ge=0, le=MAX_CONTEXT)] = 5
    max_tokens: Annotated[int, msgspec.Meta(ge=16, le=MAX_TOKENS)] = 256
    context_tokens: Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)] = 128
    asking: Annotated[int, msgspec.Meta(ge=0, le=MAX_CONTEXT)] = 0

    @property
    def reach(self) -> int:
        """How many previous messages have a part in the codes."""
        return max(self.context, self.asking)

    def reading(self, context: int) -> "Window":
        """With another number of previous messages; no fewer are searched for what the client asked, unless it is 0."""
        asking = max(context, self.asking) if context and self.asking else 0
        return msgspec.structs.replace(self, context=context, asking=asking)


class Platt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calibration of one logit z: probability = 1 / (1 + exp(-(slope * z + offset))) (Platt 1999)."""

    slope: float = 1.0
    offset: float = 0.0


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One output of the model: its calibration and the probability from which it is chosen.

    Attributes:
        trained: False for a code that training knew no message with or none without, and for an attribute that is not
            told better than by always naming its more frequent value; such a head is never given.
    """

    calibration: Platt = Platt()
    threshold: Probability = 0.5
    trained: bool = True


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of `config.json`.

    Attributes:
        name, version: the model's own; the version is a date or a number.
        codebook: hash of the codebook that the model was trained with.
        codes: code ids in the order of the model's outputs.
        heads: one per code.
        depth, permission: heads of the two attributes (complex against simple; with against without).
        review_below: a message whose estimated probability of a fully right set of codes is lower is sent to people.
        set_cuts: probability from which a code belongs to the prediction set, by the share of messages whose codes the
            set contains all, such as "0.9" (see `mi_coder.training.calibrate.set_cuts`). Older models have none.
        window: the text that the encoder reads.
        base: encoder from which the training started.
        training_ids: what is kept of the conversations that trained or tuned it, sorted (see
            `mi_coder.evaluation.leak`).
        files: SHA-256 (hex) by name of the files that are loaded beside this one.
    """

    format: int = FORMAT
    name: str
    version: str
    codebook: str
    codes: list[str]
    heads: list[Head]
    depth: Head
    permission: Head
    review_below: Probability
    set_cuts: dict[Coverage, Probability] = {}
    window: Window
    base: str
    training_ids: list[str]
    files: dict[str, str]

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each code."""
        return {code: head.threshold for code, head in zip(self.codes, self.heads, strict=True)}

    @property
    def trained(self) -> tuple[str, ...]:
        """The codes that the model can give."""
        return tuple(code for code, head in zip(self.codes, self.heads, strict=True) if head.trained)

    @property
    def untrained(self) -> tuple[str, ...]:
        """The codes that it never gives."""
        return tuple(code for code, head in zip(self.codes, self.heads, strict=True) if not head.trained)


def read_config(folder: Path) -> ModelConfig:
    """Read `config.json` of a model folder.

    Raises:
        BadModel: the file is missing, malformed or of another format.
    """
    return decode_config(config_bytes(folder), folder / CONFIG_FILE)


def config_bytes(folder: Path) -> bytes:
    """The content of `config.json`.

    Raises:
        BadModel: the folder has none.
    """
    try:
        return (folder / CONFIG_FILE).read_bytes()
    except FileNotFoundError:
        raise BadModel(
            f"{folder} is not a model folder: it has no {CONFIG_FILE}. Name a folder made by `mi-code train`."
        ) from None


def decode_config(data: bytes, path: Path) -> ModelConfig:
    """The configuration in `data`, the content of `path`.

    Raises:
        BadModel: it is malformed or of another format.
    """
    try:
        config = msgspec.json.decode(data, type=ModelConfig)
        problem = _problem(config)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = str(error)
    if problem:
        raise BadModel(f"{path}: {problem}. Export the model again with `mi-code train`.")
    return config


def _problem(config: ModelConfig) -> str:
    """What the types of the fields cannot tell, or an empty string."""
    window = config.window
    if config.format != FORMAT:
        return f"format {config.format}, this version reads format {FORMAT}"
    if len(config.heads) != len(config.codes):
        return f"{len(config.codes)} codes but {len(config.heads)} heads"
    if window.context_tokens > window.max_tokens:
        return f"window.context_tokens is {window.context_tokens}, more than window.max_tokens ({window.max_tokens})"
    if {*config.files} - {ASKING_FILE} != {*LOADED_FILES}:
        return f"files lists {', '.join(sorted(config.files)) or 'nothing'}; it must list {' and '.join(LOADED_FILES)}"
    return ""


def write_config(config: ModelConfig, folder: Path) -> None:
    """Write `config.json` with one field per line, so that changes can be read."""
    (folder / CONFIG_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(config), indent=1) + b"\n")
