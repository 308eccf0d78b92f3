"""Training experiments on the dev part: one stored run per row of docs/experiments.md.

python benchmarks/experiments.py run [NAME ...] --gold esconv.jsonl ... [--uncoded FILE ...] [--teacher FOLDER ...]
python benchmarks/experiments.py adapt FOLDER --gold esconv.jsonl ...        the encoder of the run `adapted`
python benchmarks/experiments.py score NAME FOLDER --what TEXT --gold ...    a finished model folder
python benchmarks/experiments.py table                                       writes docs/experiments.md

docs/experiments.md is laid out in `experiments_page.py`; what was tried on the way and is told in words stands in
`runs/experiments/tried.md`.

Gold files are those by which the bundled model was made (docs/training.md). The test part is never read. A run trains
on every sixth conversation unless it says otherwise, so that a machine without a GPU can try many.

A stored run (`NAME.DEV.json`) carries a hash of the dev part that judged it. Runs of one dev part are set against the
`reference` of that part and never against another; what is stored for a dev part is not run again on it. To run one
again, delete its file.
"""

import argparse
import hashlib
import json
import math
import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.experiments_page import JUDGED, REFERENCE, Stored, cell, page
from mi_coder.arrays import Bools
from mi_coder.codebook import Codebook
from mi_coder.conversation import CLIENT, Conversation, Message, model_text
from mi_coder.corpora.parts import split
from mi_coder.evaluation.card import CARD_FILE
from mi_coder.evaluation.folds import read_judged
from mi_coder.evaluation.leak import overlap
from mi_coder.evaluation.report import EvaluationReport
from mi_coder.tagger.config import MODEL_FILE, TOKENIZER_FILE, ModelConfig, Window
from mi_coder.tagger.decoding import Decoder
from mi_coder.tagger.encoder import Encoder
from mi_coder.tagger.model import ModelFolder, file_sha256, open_model
from mi_coder.tagger.record import read_record
from mi_coder.tagger.window import Tokens, WindowBuilder
from mi_coder.training.adapt import AdaptOptions, adapt
from mi_coder.training.adapted import read_adapted
from mi_coder.training.base import MINILM, base_name, resolve_base
from mi_coder.training.calibrate import calibrated_heads, review_below
from mi_coder.training.data import UNCODED, Example, examples, read_gold
from mi_coder.training.device import best_device
from mi_coder.training.encoder import Funnel
from mi_coder.training.fit import FitData, FitOptions, fit, logits, set_seeds
from mi_coder.training.judge import judge
from mi_coder.training.model import Coder
from mi_coder.training.targets import Targets, head_names, targets
from mi_coder.training.teaching import open_teachers, teach, tempered
from mi_coder.training.wide import join_words

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "benchmarks" / "runs" / "experiments"
FOLDS = ROOT / "benchmarks" / "runs" / "annomi_folds.csv"
TABLE = ROOT / "docs" / "experiments.md"
TRIED = RUNS / "tried.md"
RECIPE = FitOptions(lr=1.5e-4, freeze_words=True, dropout=0.0, threads=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One change of the recipe.

    Attributes:
        what: the row of the table.
        share: one of how many training conversations is used.
        client_only: the context is the client's messages alone.
        adapted: start from the encoder given by --adapted.
        corpora: those of which the training messages are; None for all.
        teacher_share: weight of the teachers; None for no teachers.
        uncoded: one of how many chats without codes teaches too, through the teachers; None for none.
    """

    what: str
    share: int = 6
    context: int = 5
    client_only: bool = False
    funnel: Funnel | None = field(default_factory=Funnel)
    fit: FitOptions = RECIPE
    adapted: bool = False
    corpora: tuple[str, ...] | None = None
    teacher_share: float | None = None
    uncoded: int | None = None


EXPERIMENTS = {
    REFERENCE: Experiment(what="the recipe of the bundled model, without teachers"),
    "seed-2": Experiment(what="another seed: what chance does", fit=replace(RECIPE, seed=2)),
    "context-0": Experiment(what="no context", context=0),
    "context-1": Experiment(what="one previous message", context=1),
    "context-3": Experiment(what="three previous messages", context=3),
    "client-only": Experiment(what="of five previous messages, only the client's", client_only=True),
    "full-reader": Experiment(what="all layers read the context (four times the work)", funnel=None),
    "weights-none": Experiment(what="no weights for rare codes", fit=replace(RECIPE, weighting="none")),
    "weights-inverse": Experiment(
        what="inverse frequency as weight, at most 10", fit=replace(RECIPE, weighting="inverse")
    ),
    "adjusted": Experiment(
        what="logit adjustment (tau 1) in place of weights",
        fit=replace(RECIPE, weighting="none", logit_adjustment=1.0),
    ),
    "adapted": Experiment(what="continued pre-training on the training chats (`mi-code adapt`)", adapted=True),
    "teachers": Experiment(what="teachers, half of the weight", teacher_share=0.5),
    "teachers-silver": Experiment(
        what="teachers, and silver labels of theirs on MIBot chats (no ESConv chat of train is without codes any more)",
        teacher_share=0.5,
        uncoded=4,
    ),
    "no-practice": Experiment(
        what="without practice chats", corpora=("esconv", "annomi", "mibot", "physical_activity", "feedback_esconv")
    ),
    "esconv-alone": Experiment(what="ESConv alone", corpora=("esconv",)),
    "practice-alone": Experiment(what="practice chats alone", corpora=("practice",)),
    "twenty-fourth": Experiment(what="learning curve: one of 24 training chats", share=24),
    "eighth": Experiment(what="learning curve: an eighth of the training chats", share=8),
    "half": Experiment(
        what="learning curve: half of the training chats, two epochs in place of four",
        share=2,
        fit=replace(RECIPE, epochs=2),
    ),
    "whole": Experiment(
        what="learning curve: all training chats, two epochs in place of four",
        share=1,
        fit=replace(RECIPE, epochs=2),
    ),
}


class ClientOnly(WindowBuilder):
    """Windows whose context is the client's messages."""

    def build(self, text: str, context: Sequence[Message]) -> Tokens:
        """As the base class."""
        return super().build(text, [message for message in context if message.role == CLIENT])


@dataclass(frozen=True, slots=True)
class Data:
    """Conversations by part.

    Attributes:
        dev: in the order of their ids.
        test: read for its ids alone, so that no teacher knows it.
        gold: SHA-256 (first 16 hex digits) of each gold file, in the order given.
    """

    train: list[Conversation]
    dev: list[Conversation]
    uncoded: list[Conversation]
    test: list[Conversation]
    gold: dict[str, str]


@dataclass(frozen=True, slots=True)
class Given:
    """What a run was given besides gold.

    Attributes:
        base: as `resolve_base` takes it.
        adapted: folder of an adapted encoder, for the runs that start from it.
        threads: of the CPU; None for those of the recipe.
    """

    teachers: tuple[Path, ...] = ()
    adapted: Path | None = None
    base: str = MINILM
    threads: int | None = None


def run(experiment: Experiment, data: Data, given: Given) -> dict[str, Any]:
    """Train, and judge on dev; what is stored of it."""
    book = Codebook.load()
    name = str(given.adapted) if experiment.adapted else given.base
    base = resolve_base(name)
    options = replace(experiment.fit, threads=given.threads or experiment.fit.threads)
    window = Window(context=experiment.context)
    builder = (ClientOnly if experiment.client_only else WindowBuilder).from_file(base / TOKENIZER_FILE, window)
    chats = [
        chat
        for chat in data.train[:: experiment.share]
        if experiment.corpora is None or chat.extra["corpus"] in experiment.corpora
    ]
    if experiment.uncoded:
        chats += data.uncoded[:: experiment.uncoded]
    taught = experiment.teacher_share is not None
    learned = [one for chat in chats for one in examples(chat, builder, uncoded=taught)]
    judged = [one for chat in data.dev for one in examples(chat, builder)]
    train, dev = (FitData([one.tokens for one in part], targets(part, book)) for part in (learned, judged))
    teachers = open_teachers(given.teachers if taught else (), data.test)
    if experiment.teacher_share is not None:
        told = teach(teachers, chats, options.threads or 1)
        train = replace(train, taught=tempered(train.targets, told, experiment.teacher_share))
    set_seeds(options.seed)
    model = Coder.from_folder(base, len(head_names(book)), experiment.funnel).to(best_device())
    started = time.perf_counter()
    epochs = fit(model, train, dev, options)
    join_words(model, train, dev)
    scores = logits(model, dev.tokens)
    heads = calibrated_heads(
        scores, dev.targets.known, options.balance(train.targets).lift, train.targets.trainable, len(book.ids)
    )
    config = _config(book, heads, base_name(name), scores.astype(np.float32))
    return {
        "what": experiment.what,
        **_marks(data),
        "settings": {
            "fit": asdict(options),
            "share": experiment.share,
            "corpora": experiment.corpora,
            "window": msgspec.structs.asdict(window),
            "client_only": experiment.client_only,
            "funnel": asdict(experiment.funnel) if experiment.funnel else None,
            "base": base_name(name),
            "base_sha256": _sha256(base.glob("*.safetensors")),
            "teachers": [_named(teacher) for teacher in teachers],
            "teacher_share": experiment.teacher_share,
            "uncoded": experiment.uncoded,
        },
        "messages": sum(one.gold_from != UNCODED for one in learned),
        "uncoded_messages": sum(one.gold_from == UNCODED for one in learned),
        "seconds": round(time.perf_counter() - started),
        "dev_f1_by_epoch": [round(one.dev_f1, 4) for one in epochs],
        **figures(scores.astype(np.float32), config, judged, dev.targets, reference(data)),
    }


def score(folder: Path, what: str, data: Data) -> dict[str, Any]:
    """Judge a finished model on dev.

    Raises:
        SystemExit: its card does not say on how many messages it was trained.
    """
    model = open_model(folder)
    builder = WindowBuilder.from_file(folder / TOKENIZER_FILE, model.config.window)
    judged = [one for chat in data.dev for one in examples(chat, builder)]
    scores = Encoder(folder / MODEL_FILE).logits([one.tokens for one in judged])
    record = read_record(folder)
    return {
        "what": what,
        **_marks(data),
        "settings": {**_named(model), **(record.settings if record else {})},
        "messages": _trained_on(folder),
        **figures(scores, model.config, judged, targets(judged, Codebook.load()), reference(data)),
    }


def figures(
    scores: np.ndarray, config: ModelConfig, judged: Sequence[Example], truth: Targets, beside: Stored | None
) -> dict[str, Any]:
    """Figures on the dev chats of each judged corpus, and the codes given (no text).

    Args:
        beside: the reference of the same dev part; None where there is none, as for the reference itself.
    """
    codings = Decoder(config, config.thresholds).decode(scores)
    given = ["+".join(sorted(one.codes)) for one in codings]
    other = beside["given"] if beside else given
    found: dict[str, Any] = {}
    for corpus in JUDGED:
        rows = np.array([row for row, one in enumerate(judged) if one.corpus == corpus], dtype=np.intp)
        if rows.size:
            report = judge(
                "dev",
                [judged[row] for row in rows],
                truth.take(rows),
                [codings[row] for row in rows],
                _matrix([other[row] for row in rows], config.codes),
                config,
                "",
            )
            found[corpus] = _figures(report, beside is not None)
    return {**found, "given": given}


def dev_mark(chats: Sequence[Conversation]) -> dict[str, Any]:
    """What tells one dev part from another: a hash of the ids, places and gold of its messages, in their order."""
    rows = [
        (
            chat.id,
            index,
            sorted(message.gold.positive),
            sorted(message.gold.negative),
            sorted(map(sorted, message.gold.any_of)),
            message.gold.depth,
            message.gold.permission,
        )
        for chat in chats
        for index, message in enumerate(chat.messages)
        if message.is_counselor and message.gold and model_text(message.text)
    ]
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    return {"sha256": digest, "conversations": len({row[0] for row in rows}), "messages": len(rows)}


def reference(data: Data) -> Stored | None:
    """The stored reference of this dev part."""
    mark = dev_mark(data.dev)["sha256"]
    return next((one for one in stored() if one["name"] == REFERENCE and one["dev"]["sha256"] == mark), None)


def stored() -> list[Stored]:
    """All stored runs: as the experiments are defined, finished models last."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in RUNS.glob("*.json")]
    order = list(EXPERIMENTS)
    return sorted(runs, key=lambda one: (order.index(one["name"]) if one["name"] in order else len(order), one["name"]))


def table() -> str:
    """docs/experiments.md from the stored runs."""
    return page(stored(), list(EXPERIMENTS), read_judged(FOLDS, ("4", "8")), TRIED.read_text(encoding="utf-8"))


def _figures(report: EvaluationReport, compared: bool) -> dict[str, Any]:
    difference, doubt = report.macro.difference, report.doubt.review
    known = [row.score for row in report.rows if row.score.positives]
    counted = {row.score.code for row in report.rows if row.counted}
    return {
        "value": _told(report.macro.coder.value, 4),
        "difference": [_told(value, 4) for value in (difference.value, difference.low, difference.high)]
        if compared and difference
        else None,
        "f1": {one.code: _told(one.f1) for one in known if one.code in counted},
        "f1_few": {one.code: _told(one.f1) for one in known if one.code not in counted},
        "positives": {one.code: one.positives for one in known},
        **{
            one.attribute: {
                "right": _told(one.accuracy),
                "interval": [_told(one.low), _told(one.high)],
                "most_frequent": _told(one.majority),
                "messages": one.messages,
            }
            for one in report.attributes
        },
        "calibration": _told(report.calibration.error) if report.calibration else None,
        "doubt": _told(doubt.reduction.value) if doubt else None,
        "error": _told(doubt.error.value) if doubt else None,
        "error_without_review": _told(doubt.kept_error.value) if doubt else None,
    }


def _told(value: float, digits: int = 3) -> float | None:
    """A figure as JSON has it: None where it is undefined."""
    return None if math.isnan(value) else round(float(value), digits)


def _matrix(given: Sequence[str], codes: Sequence[str]) -> Bools:
    return np.array([[code in one.split("+") for code in codes] for one in given])


def _config(book: Codebook, heads: list, base: str, scores: np.ndarray) -> ModelConfig:
    *codes, depth, permission = heads
    config = ModelConfig(
        name="experiment",
        version="0",
        codebook=book.hash,
        codes=list(book.ids),
        heads=codes,
        depth=depth,
        permission=permission,
        review_below=0.0,
        window=Window(),
        base=base,
        training_ids=[],
        files={MODEL_FILE: "", TOKENIZER_FILE: ""},
    )
    codings = Decoder(config, config.thresholds).decode(scores)
    return msgspec.structs.replace(config, review_below=review_below(codings))


def _named(model: ModelFolder) -> dict[str, Any]:
    hashes = {name: digest[:16] for name, digest in model.config.files.items()}
    return {
        "model": f"{model.config.name} {model.config.version}",
        "sha256": hashes[MODEL_FILE],
        "files": hashes,
    }


def _trained_on(folder: Path) -> int:
    """How many messages the card of a model says that it was trained on."""
    found = re.search(r"^\| train \| \d+ \| (\d+) \|$", (folder / CARD_FILE).read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise SystemExit(
            f"{folder / CARD_FILE} has no row `| train | conversations | messages |`; mi-code train writes it."
        )
    return int(found[1])


def _sha256(paths: Iterable[Path]) -> str:
    return hashlib.sha256("".join(map(file_sha256, sorted(paths))).encode()).hexdigest()[:16]


def _marks(data: Data) -> dict[str, Any]:
    return {"day": date.today().isoformat(), "dev": dev_mark(data.dev), "gold": data.gold}


def _data(gold: Sequence[Path], uncoded: Sequence[Path] = ()) -> Data:
    parts = split(read_gold(gold))
    known = {chat.id for chats in parts.values() for chat in chats}
    others = [chat.without_gold() for chat in split(read_gold(uncoded))["train"] if chat.id not in known]
    dev = sorted(parts["dev"], key=lambda chat: chat.id)
    return Data(parts["train"], dev, others, parts["test"], {path.name: file_sha256(path)[:16] for path in gold})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runs, adapts, scores = (commands.add_parser(name) for name in ("run", "adapt", "score"))
    commands.add_parser("table")
    runs.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(EXPERIMENTS)}")
    adapts.add_argument("folder", type=Path)
    scores.add_argument("name")
    scores.add_argument("folder", type=Path)
    scores.add_argument("--what", required=True)
    for command in (runs, adapts, scores):
        command.add_argument("--gold", nargs="+", type=Path, required=True)
    for command in (runs, adapts):
        command.add_argument("--uncoded", nargs="*", type=Path, default=[], help="chats without codes")
        command.add_argument("--base", default=MINILM, help="encoder to start from")
        command.add_argument("--threads", type=int, help="of the CPU; default: 1")
    runs.add_argument("--teacher", nargs="*", type=Path, default=[], help="model folders")
    runs.add_argument("--adapted", type=Path, help="encoder folder that `adapt` made")
    adapts.add_argument("--minutes", type=float, default=5, help="most time for the training")
    options = parser.parse_args(arguments)
    RUNS.mkdir(parents=True, exist_ok=True)
    if options.command == "adapt":
        data = _data(options.gold, options.uncoded)
        how = AdaptOptions(minutes=options.minutes, threads=options.threads or 1)
        adapt(options.base, [*data.train, *data.uncoded], options.folder, how)
        return
    if options.command == "score":
        _store(options.name, score(options.folder, options.what, _data(options.gold)))
    elif options.command == "run":
        data = _data(options.gold, options.uncoded)
        given = Given(tuple(options.teacher), options.adapted, options.base, options.threads)
        for name in options.names or EXPERIMENTS:
            if not _path(name, dev_mark(data.dev)).exists():
                _check(name, data, given)
                _store(name, run(EXPERIMENTS[name], data, given))
    TABLE.write_text(table(), encoding="utf-8")


def _check(name: str, data: Data, given: Given) -> None:
    """See that the run would be what its row says."""
    experiment = EXPERIMENTS[name]
    lacking = [
        flag
        for flag, needed, there in (
            ("--adapted", experiment.adapted, given.adapted),
            ("--teacher", experiment.teacher_share is not None, given.teachers),
            ("--uncoded with chats that have no codes", experiment.uncoded is not None, data.uncoded),
        )
        if needed and not there
    ]
    if lacking:
        raise SystemExit(f"{name} needs {', '.join(lacking)}.")
    if experiment.adapted and given.adapted:
        adapted = read_adapted(given.adapted)
        known = overlap([*data.dev, *data.test], adapted.training_ids if adapted else ())
        if known:
            raise SystemExit(
                f"{given.adapted} has read {len(known)} conversations of dev or test, such as {known[0]!r}."
            )
    if name != REFERENCE:
        _check_reference(data)


def _check_reference(data: Data) -> None:
    """See that there is a reference of the same dev part that was trained on the same gold."""
    beside = reference(data)
    mark = dev_mark(data.dev)
    if beside is None:
        raise SystemExit(
            f"Run {REFERENCE} first: the others are set against it, and none is stored for this dev part "
            f"({mark['messages']} messages, hash {mark['sha256']})."
        )
    if beside["gold"] != data.gold:
        raise SystemExit(
            f"{REFERENCE} was trained on other gold files than those given. Give the same in the same order, or delete "
            f"{_path(REFERENCE, mark)} and run {REFERENCE} again."
        )


def _path(name: str, dev: Stored) -> Path:
    return RUNS / f"{name}.{dev['sha256'][:8]}.json"


def _store(name: str, figures: dict[str, Any]) -> None:
    path = _path(name, figures["dev"])
    path.write_text(json.dumps({"name": name, **figures}, indent=1) + "\n", encoding="utf-8")
    print(name, *(f"{corpus} {cell(figures[corpus])}" for corpus in JUDGED if corpus in figures), flush=True)


if __name__ == "__main__":
    main()
