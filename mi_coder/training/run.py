"""The whole path: gold files in, model folder out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from mi_coder.arrays import Bools
from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding
from mi_coder.corpora.parts import Part
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.report import EvaluationReport
from mi_coder.formats import AS_CODED, ReadOptions
from mi_coder.tagger.asking import Asking, read_asking, write_asking
from mi_coder.tagger.config import MODEL_FILE, ModelConfig, Window, write_config
from mi_coder.tagger.decoding import Decoder
from mi_coder.tagger.encoder import Encoder
from mi_coder.tagger.model import unchecked_model
from mi_coder.tagger.record import write_record
from mi_coder.tagger.window import WindowBuilder
from mi_coder.training import fit
from mi_coder.training.asking import REACH, fit_asking
from mi_coder.training.base import MINILM
from mi_coder.training.baseline_fit import fit_baseline
from mi_coder.training.calibrate import MIN_OF_KIND, calibrated_heads, review_below, set_cuts
from mi_coder.training.checkpoint import Checkpoint
from mi_coder.training.describe import record_of, settings_of, write_description
from mi_coder.training.device import find_device
from mi_coder.training.digest import digest
from mi_coder.training.encoder import Funnel
from mi_coder.training.export import try_export
from mi_coder.training.fit import FitOptions
from mi_coder.training.fold import Fold
from mi_coder.training.folder import file_hashes, new_folder, refuse_existing, write_model
from mi_coder.training.judge import judge, macro_f1
from mi_coder.training.known import Known
from mi_coder.training.license import Licensed, read_license
from mi_coder.training.parts import PartData, read_parts
from mi_coder.training.progress import Epoch, Progress
from mi_coder.training.readable import check_length
from mi_coder.training.sources import Source, sources
from mi_coder.training.start import Start
from mi_coder.training.targets import head_names
from mi_coder.training.teaching import Teaching
from mi_coder.training.wide import join_words

_CHECKED_MESSAGES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What to train on, from what, and how.

    Attributes:
        base: a folder, "minilm" or a hub name (see `mi_coder.training.base`), or a finished model, whose `funnel` and
            `window` then hold (see `mi_coder.training.start`).
        version: a date or a number.
        read: how the gold files are read.
        funnel: which positions the layers of the encoder compute; None for all in every layer.
        teaching: models whose probabilities are learned beside the gold, and for messages without gold.
        mixed: how many copies of every training conversation teachers tell with its sentences mixed
            (`mi_coder.training.mixing`).
        leave_out: a share of the conversations of the training part that is not trained on, so that the model can teach
            their codes to another one without repeating them.
        keep: share of the weights of the finished model `base` that is left in the new one.
    """

    gold: tuple[Path, ...]
    output: Path
    version: str
    base: str = MINILM
    name: str = "mi-coder"
    funnel: Funnel | None = None
    window: Window = field(default_factory=lambda: Window(asking=REACH))
    fit: FitOptions = field(default_factory=FitOptions)
    teaching: Teaching = field(default_factory=Teaching)
    mixed: int = 0
    leave_out: Fold | None = None
    keep: float = 0.0
    read: ReadOptions = AS_CODED


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What came out, and how good it is."""

    folder: Path
    config: ModelConfig
    sources: tuple[Source, ...]
    epochs: tuple[Epoch, ...]
    dev: EvaluationReport
    test: EvaluationReport


def train(options: TrainOptions, progress: Progress | None = None) -> TrainReport:
    """Train, calibrate, export and describe a model.

    Calibration, thresholds and figures are those of the exported model as it will run, not of the model before export.

    Raises:
        UsageProblem: the output exists, a part has no coded messages, mixed copies have no teacher, or the context is
            to be left out where none is read.
        NoBase: the encoder cannot be read, chats cannot be read with it, or its positions are too few for the window.
        TrainingFailed: the loss is no longer a finite number.
        ExportFailed: the encoder cannot be exported, which is tried before the training, or the exported model is not
            the trained one.
        MiCoderError: files that cannot be read.
    """
    progress = progress or Progress()
    options = replace(options, output=options.output.resolve())
    refuse_existing(options.output)
    book = Codebook.load()
    codes = len(book.ids)
    start = Start.of(options.base)
    if start.finished:
        options = replace(options, funnel=start.finished.funnel, window=_searched(start.finished.folder.config.window))
    if options.mixed and not options.teaching.teachers:
        raise UsageProblem("Mixed copies (--mixed) need a teacher (--teacher) that labels them.")
    if options.fit.context_dropout and options.window.context == 0:
        raise UsageProblem("--context-dropout needs a context to leave out, and this model reads none.")
    teachers = [Licensed(unchecked_model(one).name, read_license(one)) for one in options.teaching.teachers]
    fit.set_seeds(options.fit.seed)
    model = start.coder(len(head_names(book)), options.funnel).to(find_device(options.fit.device))
    check_length(model.reader.encoder, options.window.max_tokens)
    progress.stage("reading")
    data = read_parts(options, WindowBuilder.from_file(start.tokenizer, options.window), book, start, progress)
    example, longest = data["dev"].tokens[:_CHECKED_MESSAGES], options.window.max_tokens
    progress.stage("trying the export")
    try_export(model, codes, example[:1], longest)
    progress.stage("training")
    checkpoint = Checkpoint(options.output.with_name(f"{options.output.name}.checkpoint"))
    parts = (data["train"].for_encoder(), data["dev"].for_encoder())
    before = fit.weights_of(model) if options.keep else {}
    epochs = fit.fit(model, *parts, options.fit, progress, checkpoint)
    if options.keep:
        model.blend(before, options.keep)
    beside = join_words(model, *parts)
    progress.stage("baseline")
    labeled = {part: one.for_baseline(codes) for part, one in data.items()}
    baseline = fit_baseline(book.ids, labeled["train"], labeled["dev"], options.fit.seed)
    with new_folder(options.output) as folder:
        progress.stage("export")
        write_model(model, codes, start.tokenizer, start.config, folder, example, longest)
        baseline.save(folder)
        progress.stage("calibration and test")
        encoder = Encoder(folder / MODEL_FILE, options.fit.threads or 1)
        judged_parts: tuple[Part, ...] = ("dev", "test")
        logits = {part: encoder.logits(data[part].tokens) for part in judged_parts}
        asking = _asking(data, logits["dev"], start)
        if asking:
            write_asking(asking, folder)
        else:
            options = replace(options, window=msgspec.structs.replace(options.window, asking=0))
        logits = _joined(asking, logits, data)
        config = _config(options, start, book, data, logits["dev"], folder)
        decoder = Decoder(config, config.thresholds)
        gold_sha256 = digest(path.read_bytes() for path in options.gold)

        def judged(part: Part) -> EvaluationReport:
            given: list[Coding] = decoder.decode(logits[part])
            beside: Bools = baseline.predict([one.text for one in data[part].examples])
            return judge(part, data[part].examples, data[part].targets, given, beside, config, gold_sha256)

        report = TrainReport(
            options.output, config, sources(data["train"].examples), tuple(epochs), judged("dev"), judged("test")
        )
        write_config(config, folder)
        settings = settings_of(options, start, model, epochs, beside)
        write_description(report, start, teachers, data, settings, folder)
        progress.stage("the same before its weights are rounded")
        unrounded = {part: fit.logits(model, data[part].tokens).astype(np.float32) for part in judged_parts}
        exact = _joined(asking, unrounded, data)
        fp32 = _config(options, start, book, data, exact["dev"], folder)
        write_record(record_of(settings, options.funnel, report, _macro_f1(fp32, data, exact)), folder)
    checkpoint.remove()
    return report


def _searched(window: Window) -> Window:
    """The window of an older model, which knew nothing of what the client asked, as that of a new one."""
    return msgspec.structs.replace(window, asking=max(window.asking, REACH)).reading(window.context)


def _asking(data: Mapping[Part, PartData], dev_logits: NDArray[np.float32], start: Start) -> Asking | None:
    """Which sentences of the client ask for advice; None where too little is known of permission."""
    train, dev = (Known.among(data[part].tokens, data[part].targets.known[:, -1]) for part in ("train", "dev"))
    told = dev_logits[~np.isnan(data["dev"].targets.known[:, -1]), -1].astype(np.float64)
    return fit_asking(train, dev, told, read_asking(start.finished.folder.path) if start.finished else None)


def _joined(
    asking: Asking | None, logits: Mapping[Part, NDArray[np.float32]], data: Mapping[Part, PartData]
) -> dict[Part, NDArray[np.float32]]:
    """The logits by part, those of permission with what `asking`, if any, tells of it."""
    return {part: asking.join(one, data[part].tokens) if asking else one for part, one in logits.items()}


def _config(
    options: TrainOptions,
    start: Start,
    book: Codebook,
    data: Mapping[Part, PartData],
    dev_logits: NDArray[np.float32],
    folder: Path,
) -> ModelConfig:
    learned = data["train"].targets
    before = start.finished.folder.config if start.finished else None
    *heads, depth, permission = calibrated_heads(
        dev_logits.astype(np.float64),
        data["dev"].targets.known,
        options.fit.balance(learned).lift,
        learned.trainable,
        len(book.ids),
        [*before.heads, before.depth, before.permission] if before else (),
    )
    config = ModelConfig(
        name=options.name,
        version=options.version,
        codebook=book.hash,
        codes=list(book.ids),
        heads=heads,
        depth=depth,
        permission=permission,
        review_below=0.0,
        window=options.window,
        base=start.base,
        training_ids=sorted(data["train"].hashes | data["dev"].hashes),
        files=file_hashes(folder),
    )
    codings = Decoder(config, config.thresholds).decode(dev_logits)
    kinds = [one.corpus for one in data["dev"].examples]
    known = data["dev"].targets.known[:, : len(book.ids)]
    few = (~np.isnan(known).any(axis=1)).sum() < MIN_OF_KIND
    cuts = before.set_cuts if before and few else set_cuts(codings, known, book.ids, kinds, data["dev"].groups)
    return msgspec.structs.replace(config, review_below=review_below(codings), set_cuts=cuts)


def _macro_f1(
    config: ModelConfig, data: Mapping[Part, PartData], logits: Mapping[Part, NDArray[np.float32]]
) -> dict[str, float]:
    """Macro-F1 by part of logits that are decided by `config`."""
    decoder = Decoder(config, config.thresholds)
    return {part: macro_f1(config.codes, data[part].targets, decoder.decode(one)) for part, one in logits.items()}
