"""The whole path: gold files in, model folder out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding
from mi_coder.corpora.parts import PARTS, Part, group_of, split
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.card import CARD_FILE
from mi_coder.evaluation.compare import has_gold
from mi_coder.evaluation.leak import overlap, training_hashes
from mi_coder.evaluation.metrics import Bools
from mi_coder.evaluation.report import EvaluationReport
from mi_coder.formats import AS_CODED, ReadOptions
from mi_coder.tagger.asking import Asking, read_asking, write_asking
from mi_coder.tagger.config import MODEL_FILE, ModelConfig, Window, write_config
from mi_coder.tagger.decoding import Decoder
from mi_coder.tagger.encoder import Encoder
from mi_coder.tagger.model import unchecked_model
from mi_coder.tagger.record import EpochRecord, LayersRecord, TrainingRecord, write_record
from mi_coder.tagger.sentences import spacy_splitter
from mi_coder.tagger.window import Tokens, WindowBuilder
from mi_coder.training import fit
from mi_coder.training.asking import REACH, fit_asking
from mi_coder.training.base import MINILM
from mi_coder.training.baseline_fit import Labeled, fit_baseline
from mi_coder.training.calibrate import MIN_OF_KIND, calibrated_heads, review_below, set_cuts
from mi_coder.training.card import Card, render_card
from mi_coder.training.checkpoint import Checkpoint
from mi_coder.training.data import Example, examples, read_gold
from mi_coder.training.device import find_device
from mi_coder.training.encoder import Funnel
from mi_coder.training.fit import FitOptions
from mi_coder.training.fold import Fold
from mi_coder.training.folder import file_hashes, new_folder, refuse_existing, write_model
from mi_coder.training.judge import judge, macro_f1
from mi_coder.training.known import Known
from mi_coder.training.license import LICENSE_FILE, Licensed, read_license, render_license
from mi_coder.training.mixing import mixed
from mi_coder.training.model import Coder
from mi_coder.training.progress import Epoch, Progress
from mi_coder.training.readable import check_length
from mi_coder.training.sources import Source, sources
from mi_coder.training.start import Start
from mi_coder.training.targets import Targets, head_names, targets
from mi_coder.training.teaching import Teaching, open_teachers, teach, tempered
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


@dataclass(frozen=True, slots=True)
class _Data:
    """One part of the gold.

    Attributes:
        groups: of each example, that of its conversation.
        hashes: what the model keeps of the conversations of `examples`.
        taught: what the encoder learns in place of `targets`, where there are teachers.
    """

    examples: list[Example]
    groups: list[str]
    targets: Targets
    hashes: frozenset[str]
    taught: Targets | None = None

    @property
    def tokens(self) -> list[Tokens]:
        return [one.tokens for one in self.examples]

    @property
    def conversations(self) -> set[str]:
        return {one.conversation for one in self.examples}

    def for_encoder(self) -> fit.FitData:
        return fit.FitData(self.tokens, self.targets, self.taught)

    def for_baseline(self, codes: int) -> Labeled:
        """The messages of which a code itself is known, which is all that the baseline learns from."""
        known = self.targets.known[:, :codes]
        coded = np.flatnonzero(~np.isnan(known).all(axis=1))
        return Labeled([self.examples[row].text for row in coded], known[coded])


def train(options: TrainOptions, progress: Progress | None = None) -> TrainReport:
    """Train, calibrate, export and describe a model.

    Calibration, thresholds and figures are those of the exported model as it will run, not of the model before export.

    Raises:
        UsageProblem: the output exists, a part has no coded messages, mixed copies have no teacher, or the context is
            to be left out where none is read.
        NoBase: the encoder cannot be read, chats cannot be read with it, or its positions are too few for the window.
        TrainingFailed: the loss is no longer a finite number.
        ExportFailed: the exported model is not the trained one.
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
        raise UsageProblem("Nobody tells the codes of mixed copies (--mixed) without a teacher (--teacher).")
    if options.fit.context_dropout and options.window.context == 0:
        raise UsageProblem("--context-dropout needs a context to leave out, and this model reads none.")
    teachers = [Licensed(unchecked_model(one).name, read_license(one)) for one in options.teaching.teachers]
    fit.set_seeds(options.fit.seed)
    model = start.coder(len(head_names(book)), options.funnel).to(find_device(options.fit.device))
    check_length(model.reader.encoder, options.window.max_tokens)
    progress.stage("reading")
    data = _read(options, WindowBuilder.from_file(start.tokenizer, options.window), book, start, progress)
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
        example, longest = data["dev"].tokens[:_CHECKED_MESSAGES], options.window.max_tokens
        write_model(model, codes, start.tokenizer, start.config, folder, example, longest)
        baseline.save(folder)
        progress.stage("calibration and test")
        encoder = Encoder(folder / MODEL_FILE, options.fit.threads or 1)
        judged_parts: tuple[Part, ...] = ("dev", "test")
        logits = {part: encoder.logits(data[part].tokens) for part in judged_parts}
        asking = _asking(data, logits["dev"], start)
        if asking:
            write_asking(asking, folder)
            logits = {part: asking.join(one, data[part].tokens) for part, one in logits.items()}
        else:
            options = replace(options, window=msgspec.structs.replace(options.window, asking=0))
        config = _config(options, start, book, data, logits["dev"], folder)
        decoder = Decoder(config, config.thresholds)
        gold_sha256 = _sha256(options.gold)

        def judged(part: Part) -> EvaluationReport:
            given: list[Coding] = decoder.decode(logits[part])
            beside: Bools = baseline.predict([one.text for one in data[part].examples])
            return judge(part, data[part].examples, data[part].targets, given, beside, config, gold_sha256)

        report = TrainReport(
            options.output, config, sources(data["train"].examples), tuple(epochs), judged("dev"), judged("test")
        )
        write_config(config, folder)
        settings = _settings(options, start, model, epochs, beside)
        _describe(report, start, teachers, data, settings, folder)
        progress.stage("the same before its weights are rounded")
        exact = {part: fit.logits(model, data[part].tokens).astype(np.float32) for part in judged_parts}
        if asking:
            exact = {part: asking.join(one, data[part].tokens) for part, one in exact.items()}
        fp32 = _config(options, start, book, data, exact["dev"], folder)
        write_record(_record(settings, options.funnel, report, _macro_f1(fp32, data, exact)), folder)
    checkpoint.remove()
    return report


def _read(
    options: TrainOptions, builder: WindowBuilder, book: Codebook, start: Start, progress: Progress
) -> dict[Part, _Data]:
    """Every part as examples and targets."""
    parts = split(read_gold(options.gold, options.read))
    if options.leave_out:
        parts["train"] = [chat for chat in parts["train"] if not options.leave_out.holds(chat)]
    if known := overlap(parts["test"], start.training_ids):
        raise UsageProblem(
            f"{start.name} has read {len(known)} conversations of the test part, such as {known[0]!r}. Make it without "
            "them, or give them another part (field split)."
        )
    if start.finished and (known := overlap(parts["dev"], start.training_ids)):
        progress.note(
            f"{start.name} has read {len(known)} conversations of the dev part: epoch, calibration and sets that are "
            "chosen on them flatter"
        )
    teachers = open_teachers(options.teaching.teachers, parts["test"])
    data: dict[Part, _Data] = {}
    for part, conversations in parts.items():
        taught = bool(teachers) and part == "train"
        if taught and options.mixed:
            conversations = [*conversations, *mixed(conversations, options.mixed, spacy_splitter(), options.fit.seed)]
        found: list[Example] = []
        groups: list[str] = []
        hashes: set[str] = set()
        for conversation in conversations:
            used = list(examples(conversation, builder, uncoded=taught))
            found += used
            groups += [group_of(conversation)] * len(used)
            hashes.update(training_hashes(conversation) if used else ())
        if not found and not any(map(has_gold, chain.from_iterable(parts.values()))):
            raise UsageProblem(
                'No counselor message carries gold codes. Each needs a field gold, such as {"codes": ["SU", "OQ"]}.'
            )
        if not found:
            raise UsageProblem(
                f"No coded counselor message is in the part {part}. Give more conversations, or name the part of each "
                f"conversation in a field split: {', '.join(PARTS)}."
            )
        if part == "train":
            hashes |= start.training_ids.union(*(one.config.training_ids for one in teachers))
        truth = targets(found, book)
        if part == "train" and start.finished:
            truth = truth.without_silent()
        data[part] = _Data(found, groups, truth, frozenset(hashes))
        if not (data[part].targets.known[:, : len(book.ids)] == 1).any():
            raise UsageProblem(
                f"No message of the part {part} is known to carry a code. Give more gold conversations: teachers add "
                "to what gold tells and do not replace it."
            )
        if taught:
            told = teach(teachers, conversations, options.fit.threads or 1)
            data[part] = replace(data[part], taught=tempered(data[part].targets, told, options.teaching.share))
    if not (start.finished or teachers or data["train"].targets.trainable[: len(book.ids)].any()):
        raise UsageProblem(
            "No code has training messages that carry it and others that are known not to, so none can be learned. "
            "Give complete gold (codes), or name beside positive what is negative."
        )
    return data


def _searched(window: Window) -> Window:
    """The window of an older model, which knew nothing of what the client asked, as that of a new one."""
    return msgspec.structs.replace(window, asking=max(window.asking, REACH)).reading(window.context)


def _asking(data: Mapping[Part, _Data], dev_logits: NDArray[np.float32], start: Start) -> Asking | None:
    """Which sentences of the client ask for advice; None where too little is known of permission."""
    train, dev = (Known.among(data[part].tokens, data[part].targets.known[:, -1]) for part in ("train", "dev"))
    told = dev_logits[~np.isnan(data["dev"].targets.known[:, -1]), -1].astype(np.float64)
    return fit_asking(train, dev, told, read_asking(start.finished.folder.path) if start.finished else None)


def _config(
    options: TrainOptions,
    start: Start,
    book: Codebook,
    data: Mapping[Part, _Data],
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


def _sha256(paths: Sequence[Path]) -> str:
    digest = sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _settings(
    options: TrainOptions,
    start: Start,
    model: Coder,
    epochs: Sequence[Epoch],
    beside: Mapping[str, bool],
) -> dict[str, str]:
    """What a model card says of the training.

    Args:
        beside: by attribute, whether the client's words join the encoder in telling it.
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
        "learning rate": f"{fit.learning_rate(model, options.fit):g}",
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
            f"{attribute} is told from": "the encoder and the client's words" if joined else "the encoder"
            for attribute, joined in beside.items()
        },
        "previous messages that are searched for what the client asked": str(window.asking),
        "seed": str(options.fit.seed),
    }


def _teachers(teaching: Teaching) -> str:
    models = map(unchecked_model, teaching.teachers)
    named = ", ".join(f"{one.name} of {one.config.base}" for one in models)
    return f"{named}; share {teaching.share:g}" if named else "none"


def _went_on(options: TrainOptions, start: Start) -> dict[str, str]:
    if not start.finished:
        return {}
    return {"went on from": start.finished.folder.name, "share of its weights that is kept": f"{options.keep:g}"}


def _macro_f1(
    config: ModelConfig, data: Mapping[Part, _Data], logits: Mapping[Part, NDArray[np.float32]]
) -> dict[str, float]:
    """Macro-F1 by part of logits that are decided by `config`."""
    decoder = Decoder(config, config.thresholds)
    return {part: macro_f1(config.codes, data[part].targets, decoder.decode(one)) for part, one in logits.items()}


def _record(
    settings: dict[str, str], funnel: Funnel | None, report: TrainReport, fp32: dict[str, float]
) -> TrainingRecord:
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


def _describe(
    report: TrainReport,
    start: Start,
    teachers: Sequence[Licensed],
    data: Mapping[Part, _Data],
    settings: dict[str, str],
    folder: Path,
) -> None:
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
