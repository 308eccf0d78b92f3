"""Training experiments on the dev part: one stored run per row of docs/experiments.md.

python benchmarks/experiments.py run [NAME ...] --gold esconv.jsonl ... [--uncoded FILE ...] [--teacher FOLDER ...]
python benchmarks/experiments.py adapt FOLDER --gold esconv.jsonl ...        the encoder of the run `adapted`
python benchmarks/experiments.py score NAME FOLDER --what TEXT --gold ...    a finished model folder
python benchmarks/experiments.py table                                       writes docs/experiments.md

Gold files are those of the README's training command. The test part is never read. A run trains on every sixth
conversation unless it says otherwise, so that a machine without a GPU can try many.

A stored run (`NAME.DEV.json`) carries a hash of the dev part that judged it. Runs of one dev part are set against the
`reference` of that part and never against another; what is stored for a dev part is not run again on it. To run one
again, delete its file.
"""

import argparse
import hashlib
import json
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mi_coder.codebook import Codebook
from mi_coder.conversation import CLIENT, Conversation, Message, model_text
from mi_coder.evaluation.card import CARD_FILE
from mi_coder.evaluation.folds import fold_figures, read_judged
from mi_coder.evaluation.leak import overlap
from mi_coder.evaluation.metrics import Bools
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
from mi_coder.training.split import split
from mi_coder.training.targets import Targets, head_names, targets
from mi_coder.training.teaching import open_teachers, teach, tempered
from mi_coder.training.wide import join_words

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "benchmarks" / "runs" / "experiments"
FOLDS = ROOT / "benchmarks" / "runs" / "annomi_folds.csv"
TABLE = ROOT / "docs" / "experiments.md"
REFERENCE = "reference"
JUDGED = {"esconv": "ESConv", "practice": "practice chats", "annomi": "AnnoMI"}
RECIPE = FitOptions(lr=1.5e-4, freeze_words=True, dropout=0.0, threads=1)

# What a new model changes in docs/experiments.md: store it with `score`, and name it here.
TAGGER = "all-0.13.2"
CURVE = ("twenty-fourth", "eighth", REFERENCE, "half", "whole", "all-0.3.0")
MISSED = (
    ("practice", "CO"),
    ("practice", "IP"),
    ("practice", "CC"),
    ("practice", "DI"),
    ("esconv", "CC"),
    ("esconv", "depth"),
    ("practice", "depth"),
    ("esconv", "permission"),
    ("practice", "permission"),
)

Stored = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limit:
    """A row of the section on limits.

    Attributes:
        what: a code, or one of depth, permission, calibration, doubt.
        corpora: the dev chats of which `TAGGER` is judged.
        wanted: the target.
        readers: how far people or readers agree.
        reading: what limits it.
    """

    what: str
    corpora: tuple[str, ...]
    wanted: str
    readers: str
    reading: str


LIMITS = (
    Limit(
        "CO",
        ("practice",),
        ".75",
        ".99",
        "not the codes, and size little (MPNet .71): what blames and what argues often use the same words",
    ),
    Limit("IP", ("practice",), ".75", ".99", "not the codes, nor size (MPNet .78): six kinds of harm in one code"),
    Limit(
        "CC",
        ("practice", "esconv"),
        ".75, .65",
        ".97, .85",
        "not the codes, nor size in practice chats (MPNet .76): talk off the problem is known from the chat, not "
        "from the message",
    ),
    Limit(
        "DI",
        ("practice",),
        ".75",
        ".95",
        "in part the codes: an order with a threat was DI to the authors and is WA since",
    ),
    Limit(
        "OT", ("practice", "esconv"), ".75, .65", ".89, .82", "the codes in ESConv: a rest that has no shape of its own"
    ),
    Limit(
        "depth",
        ("esconv", "practice", "annomi"),
        ".75",
        "alpha .81, .93, .81; ten experts on AnnoMI's kinds of reflection .50",
        "both: experts agree little on it; where readers agree, the tagger has few reflections to learn from (some "
        "eight in a hundred messages of ESConv). On test ESConv and the practice chats reach it, AnnoMI does not",
    ),
    Limit(
        "permission",
        ("esconv", "practice", "annomi"),
        ".80",
        "alpha .92, .96, .75 (34 messages)",
        "the tagger, not the codes: whether advice was asked for stands in one sentence of the client, at times far "
        "back, and the counselor may have asked for leave. In the invented chats, where others wrote the test than the "
        "training, single sentences tell least",
    ),
    Limit(
        "calibration",
        ("esconv", "practice", "annomi"),
        "at most .03",
        "–",
        "outside chats the codes are as frequent as elsewhere and not as here: ESConv and practice chats are most of "
        "the dev part that calibrates. Welivita has no dev part; its test has .053 with model 0.13.0",
    ),
    Limit(
        "doubt",
        ("esconv", "practice", "annomi"),
        "40 % lower",
        "the very same codes: 85 %, 94 %, 86 % of messages",
        "in part the codes: a second reader gives other codes to one message in seven, in ESConv and in AnnoMI, and "
        "doubt can only sort out errors that the words give away. In ESConv a third of the messages are not exactly "
        "right, so even doubt that knew all of these would take .49 of the error away with a fifth of the messages",
    ),
)


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
    runs = stored()
    groups: dict[str, list[Stored]] = {}
    for one in runs:
        groups.setdefault(one["dev"]["sha256"], []).append(one)
    newest_first = sorted(groups.values(), key=_day, reverse=True)
    ran = {one["name"] for one in runs}
    missing = ", ".join(f"`{name}`" for name in EXPERIMENTS if name not in ran)
    parts = [_HEAD, *(part for group in newest_first for part in _group(group))]
    if missing:
        parts.append(f"Defined and not run on any: {missing}.")
    return "\n\n".join([*parts, _limits(runs), _TRIED]) + "\n"


def _group(runs: Sequence[Stored]) -> list[str]:
    """The sections of one dev part."""
    dev = runs[0]["dev"]
    corpora = [corpus for corpus in JUDGED if any(corpus in one for one in runs)]
    columns = ["run", "what", "training messages", *(f"{JUDGED[corpus]}: macro-F1, difference" for corpus in corpora)]
    rows = [
        [f"`{one['name']}`", one["what"], _size(one), *(_cell(one.get(corpus)) for corpus in corpora)] for one in runs
    ]
    return [
        f"## Dev as of {_day(runs)}: {dev['messages']:,} messages",
        " ".join([_about(dev), *_recipe(runs)]),
        _markdown(columns, rows),
        *_curve(runs),
    ]


def _size(one: Stored) -> str:
    """The training messages, of which codes are known and of which none are."""
    uncoded = one.get("uncoded_messages")
    return f"{one['messages']:,}" + (f" and {uncoded:,} without codes" if uncoded else "")


def _day(runs: Sequence[Stored]) -> str:
    """When the first of them was run."""
    return min(one["day"] for one in runs)


def _about(dev: Stored) -> str:
    made = f", {dev['rebuilt']}" if "rebuilt" in dev else ""
    return f"{dev['conversations']} conversations, hash `{dev['sha256']}`{made}."


def _recipe(runs: Sequence[Stored]) -> Iterator[str]:
    """The settings that the runs share, those of the reference."""
    one = next((one for one in runs if one["name"] == REFERENCE), None)
    if one is None:
        yield f"`{REFERENCE}` has not been run on it, so there are no differences."
    elif not isinstance(one["settings"], dict):
        yield (
            "Settings, teachers and hashes of gold files were not stored with these runs; all ran on every fourth "
            "training conversation unless the row says otherwise."
        )
    else:
        options, teachers = one["settings"]["fit"], {_teachers(run) for run in runs} - {""}
        yield (
            f"`{REFERENCE}`: encoder {one['settings']['base']}, every {one['settings']['share']}th training "
            f"conversation, {options['epochs']} epochs, learning rate {options['lr']:g}, seed {options['seed']}."
        )
        yield from sorted(f"Teachers: {names}." for names in teachers)


def _teachers(one: Stored) -> str:
    teachers = one["settings"].get("teachers") if isinstance(one["settings"], dict) else None
    return ", ".join(f"{each['model']} (`{each['sha256']}`)" for each in teachers) if isinstance(teachers, list) else ""


def _curve(runs: Sequence[Stored]) -> list[str]:
    """The learning curve, by code where the target is missed; nothing where there is one point alone."""
    points = sorted((one for one in runs if one["name"] in CURVE), key=lambda one: one["messages"])
    if len(points) < 2:
        return []
    rows = [
        [f"macro-F1, {JUDGED[corpus]}", *(_value(one.get(corpus, {}).get("value")) for one in points)]
        for corpus in JUDGED
        if any(corpus in one for one in points)
    ]
    for corpus, what in MISSED:
        if any(_of(one, corpus, what) is not None for one in points):
            values = [f"{_value(_of(one, corpus, what))}{_support(one, corpus, what)}" for one in points]
            rows.append([f"{what}, {JUDGED[corpus]}", *values])
    columns = ["", *(f"{one['messages']:,} (`{one['name']}`)" for one in points)]
    return [_CURVE, _markdown(columns, rows)]


def _limits(runs: Sequence[Stored]) -> str:
    """The section on limits: the figures of `TAGGER` on the newest dev part that it was judged on."""
    judged = [one for one in runs if one["name"] == TAGGER]
    tagger: Stored = max(judged, key=lambda one: one["day"]) if judged else {"what": f"{TAGGER}, not stored"}
    rows = [
        [
            one.what,
            ", ".join(JUDGED[corpus] for corpus in one.corpora),
            one.wanted,
            one.readers,
            ", ".join(
                f"{_value(_of(tagger, corpus, one.what))}{_support(tagger, corpus, one.what)}" for corpus in one.corpora
            ),
            one.reading,
        ]
        for one in LIMITS
    ]
    columns = ["what", "chats", "target", "readers", "tagger on dev", "what limits it"]
    folds = read_judged(FOLDS, ("4", "8"))
    four, eight = (_value(fold_figures(folds, level).macro.value) for level in ("4", "8"))
    rows.append(
        [
            "its own classes, 4 and 8",
            "AnnoMI, five folds by video",
            ".80, .55",
            "ten experts: one against another .80 [.78, .82], .53 [.48, .57] (`benchmarks/annomi_raters.py`); alpha of "
            "four classes .74",
            f"{four}, {eight}",
            "over eight classes the labels, most of which are one expert's: another expert is expected to reach no "
            "more. Over four both: the encoder finds what is input less well than experts do (.58, they .72). The "
            "folds were trained with settings of their own (`benchmarks/annomi_folds.py`)",
        ]
    )
    return "\n\n".join([_LIMITS.format(tagger=tagger["what"]), _markdown(columns, rows)])


_HEAD = """# Training experiments

Made by `python benchmarks/experiments.py table`. Every row is a stored run (`benchmarks/runs/experiments/`, with the
codes given and no text), made by `python benchmarks/experiments.py run NAME` and judged on the **dev part only**, which
also chose epoch and thresholds: read the differences, not the levels. The difference to `reference` has its 95 %
interval by resampling conversations; one that holds 0 is no finding. Dev grew and its codes were settled in the
meantime: runs are compared only where a hash says that the same messages with the same codes judged them. Figures are
macro-F1 over the codes with at least 20 positives in the dev chats of a corpus."""

_CURVE = """### Learning curve

F1 on dev by the number of training messages, for the codes that miss their target in [the benchmark](benchmark.md);
depth and permission: share that is right where the code is rightly given. n: messages of dev with the code or the
attribute. Permission is told without the sentences that ask (`asking.json`) here."""

_LIMITS = """## What limits what misses its target

Readers: two readers of the same language model, blind to each other, on all messages that were coded twice (codes: the
positive agreement, which is an F1 of one against the other; `annotations/agreement.md`). Tagger: codes as F1,
depth and permission as the share that is right where the code is rightly given, calibration as the mean error over
codes, doubt as the share of the error that is gone without the messages sent to review (a fifth of dev); n: messages
with the code or the attribute. A dev part chose epoch and thresholds and so flatters; no figure of test is in this
column.

The tagger is {tagger}."""

_TRIED = """## What else was found

Of the choices tried on the dev part of 2026-11-27, only those about data make a difference whose interval leaves out 0:
practice chats, other corpora than ESConv, the number of chats. How many previous messages are read makes none there.
The bundled model reads five all the same: depth and permission are told from them.

Tried, not stored: reading the context in every layer, or each message alone in the first layers and then read in the
later ones, gave after one epoch .62 to .64 macro-F1 on dev, against .64 to .65 of the bundled funnel.

Since model 0.6.0 permission is told from what the client said before, too (`mi_coder/training/permission.py`): with a
weight for each word piece of the client's last messages it is right in .81 on ESConv dev; the encoder alone was in .70,
always the most frequent value in .71 (tried on the way, not stored). "Any", "should", "how", "advice" and the question
mark speak for permission most.

Going on from model 0.6.0 (`all-0.7.0`; tried on the way on dev, not stored, macro-F1 of ESConv, practice chats and
AnnoMI, then exact match): with the same chats, words left out and the running mean of the weights, .80, .83, .69 and
.66, .75, .69, no better in ESConv than 0.6.0 (.81, .82, .69 and .66, .73, .66). With 280 more practice chats in the
manner of crowd workers and of spoken sessions .81, .83, .70 and .65, .75, .69; without their context the same messages
then had .70, .75, .65 (0.6.0: .74, .76, .65). Half of the weights of 0.6.0 kept (Wortsman et al. 2022) gave .81, .83,
.69 and .66, .76, .68 with context and .74, .76, .66 without: model 0.7.0. The loss without context was looked for
after the first of these had fallen from .555 to .486 on Welivita's sentences, which have none.

Going on from model 0.7.0 (`all-0.8.0`; tried on the way on dev, not stored, macro-F1 of ESConv, practice chats and
AnnoMI on the dev part of 2,955 messages): with 220 more practice chats, and a fifth of the messages read without their
context in every step, .80, .84, .66 (0.7.0: .80, .83, .69), and where the same messages are judged without context
.78, .82, .64 (.72, .77, .66). 42 practice chats by two further authors, which neither model had read, then had .83 and
exact match .75 (.80 and .69). Half of the weights of 0.7.0 kept gave .80, .84, .70, without context .78, .81, .66, and
.81 and .71 on the further authors' chats; it has the highest macro-F1 over all of dev (.798; a quarter kept .792,
nothing .793) and the lowest loss on its ESConv chats (1.404, 1.409 and 1.424; on the practice chats 1.102, 1.095 and
1.105), and became model 0.8.0. Permission was also tried from the words of the message and of the last turns, each
with weights of its own: on the 452 pieces of advice in eight files of new chats right in .75 to .76, against .77 from
the client's words.

A larger encoder tells more: MPNet, of five times the size, which reads the context once as the bundled model does,
after three epochs from its pre-trained weights (`mpnet`; 75 minutes on two cores that compute in bfloat16). It gains
most in collaboration, disclosure, support and affirmation in the practice chats and in information and affirmation in
ESConv, and nothing in Inappropriate and Chit-chat; Confront is little better. As a teacher it passes little of this on
(`all-0.9.0`): tried on the way on dev, not stored, going on from model 0.8.0 with it, and with 579 messages whose
codes, depth or permission were corrected, gives a macro-F1 over all of dev of .801 with none of the old weights kept,
and .800, .800 and .797 with a quarter, half and three quarters; the loss on ESConv's dev chats is then 1.383, 1.373,
1.373 and 1.384 (model 0.8.0: 1.404). Half was chosen beforehand.

The teacher had been asked about the training messages alone. So two teachers, MPNet and model 0.9.0, were also asked
about a copy of every training chat in which the counselor's sentences are mixed with others (`all-0.10.0`; three
epochs, going on from 0.9.0). Tried on the way on dev, not stored, with none, a quarter, half and three quarters of the
weights of 0.9.0 kept: the loss is 1.236, 1.236, 1.242 and 1.254 over all of dev (0.9.0: 1.271), 1.330, 1.331, 1.339 and
1.353 on ESConv's chats (1.373), and macro-F1 over all of dev .807, .804, .804 and .803 (.800), before the export. None
was chosen, for the highest macro-F1 at a loss no higher. Read without their context, ESConv's dev chats have .80
(0.9.0: .79), practice chats .83 (.82) and AnnoMI .67 (.65).

The loss still fell with every epoch. So MPNet and model 0.10.0 were asked about two further copies of every training
chat (`all-0.11.0`; three epochs of 77,000 messages, going on from 0.10.0; no other settings were tried). The balanced
loss on dev is 2.786 (0.10.0: 2.906; summed over codes, depth and permission). Calibration, thresholds and sets of
0.11.0 were then fitted on dev with the codes of 117 messages settled anew, so its row of 2026-11-28 flatters it less
than those of the others. On dev as of 2026-11-29 only 0.12.0, 0.13.0, `mpnet-settled` and `reference` were calibrated
on the very codes that judge them, which flatters them beside 0.11.0 and `mpnet`.

Then all of dev and of ESConv's train part was coded a second time and settled. MPNet and model 0.11.0, which both knew
the older codes, were asked about two copies of every training chat again (three epochs, going on from 0.11.0, a quarter
of the weight for the teachers where gold tells a code, with 2,939 of the 5,032 messages that were read again; tried on
dev, not stored, before the export, each calibrated there: macro-F1, exact match and loss over all of dev). With none of
the old weights that gave .811, .712 and 1.225, no gain on model 0.11.0 itself (.814, .706 and 1.227); half of them kept
.815, .713 and 1.218. One more epoch on gold alone, with all 5,032, and a learning rate of 3e-5 gave .813, .719 and
1.227, with a quarter, half and three quarters of the weights before it kept .813, .725 and 1.218, .814, .724 and 1.214
(model 0.12.0, `all-0.12.0`; exported .814 and .718), .813, .717 and 1.214. Corrected codes raise exact match and hardly
macro-F1.

MPNet itself gains more from corrected codes: gone on for one epoch with them (`mpnet-settled`; none of its old weights
kept) it has .82 macro-F1 on ESConv's dev chats, where it had .81. Before the export it has .84 there, and with a
quarter, half and three quarters of the old weights kept .83, .83 and .82 (tried on the way, not stored): rounding to 8
bits takes part of the gain away (.826 over all of dev before, .822 after). As a teacher beside model 0.12.0, of the
training chats alone and without mixed copies, it passed little on in three epochs (going on from 0.12.0, tried on dev,
not stored, before the export): with none, a quarter and half of the weights kept macro-F1 is .812 over all of dev each
time, exact match .724, .725 and .723, loss 1.224, 1.215 and 1.211; ESConv's chats have .806, .810 and .806 (0.12.0:
.801), AnnoMI .692, .694 and .689 (.713). One more epoch on gold alone, half kept: .814, .722 and 1.216. No model was
made of these.

Then 307 more practice chats were written (6,210 messages; annotations/README.md says what for), and all of AnnoMI's
train turns were settled (`all-0.13.0`). MPNet was trained anew with the settled codes, without the new chats, for two
epochs (.81 macro-F1 over all of dev before its export, .82 in ESConv), and told the training messages of ESConv and
AnnoMI. Going on from 0.12.0 with it for two epochs (.4 of the weight for it where gold tells a code), with none, a
quarter, half and three quarters of the weights kept, gave (tried on dev, not stored, before the export, each calibrated
there) macro-F1 .812, .810, .813 and .816 over all of dev, exact match .718, .720, .719 and .716, loss 1.207, 1.197,
1.196 and 1.203 (0.12.0: .814, .724 and 1.214). Half was chosen beforehand. One more epoch on gold alone, with a
learning rate of 3e-5: .815, .813, .813 and .812, exact match .726, .729, .727 and .725, loss 1.199, 1.194, 1.192 and
1.192, AnnoMI .732, .717, .712 and .703 (.713). Of these four the first was taken, for the highest macro-F1 among them
at a loss no higher than that of 0.12.0 (model 0.13.0). Together, chats, codes and teacher lower the loss in ESConv and
AnnoMI (1.33 and 1.21, where 0.12.0 has 1.35 and 1.27) and leave it as it was in the practice chats; macro-F1 over all
of dev they do not raise.

MPNet then went on for one epoch with all gold (before its export .83 macro-F1 over all of dev and in ESConv, .88 in the
practice chats), and told all training chats and a copy of each with mixed sentences (two epochs, going on from 0.13.0,
.4 of the weight for it where gold tells a code). With none, a quarter, half and three quarters of the weights kept that
gave (tried on dev, not stored, before the export, each calibrated there) macro-F1 .814 over all of dev three times and
.815, exact match .718, .719, .724 and .726, loss 1.211, 1.195, 1.187 and 1.185 (0.13.0: .815, .726 and 1.199). One more
epoch on gold alone, from the second of these: .821, .820, .820 and .819, exact match .729, .727, .729 and .724, loss
1.219, 1.206, 1.198 and 1.195. Half kept has the highest macro-F1 at a loss no higher than that of 0.13.0
(`candidate-0.14.0`): exported, more than 0.13.0 in ESConv (.815, .806) and the practice chats (.864, .856), less in
AnnoMI (.699, .720), and .007 [-.001, .016] more over all of dev, where its settings were chosen. On test, which is not
stored, it was no better (.796 in ESConv, where 0.13.0 has .801; AnnoMI .761 and .756, the practice chats .847 and .845,
.899 and .901, Welivita .529 and .541; permission right in .77 and .79 of ESConv's advice), its rounding to 8 bits cost
.005 macro-F1, and so 0.13.0 stayed. Its permission was fitted on the vector of the message together with the client's
words: cross-validated on dev, right in .85 against .83, on the test parts in .75 against .76, and left out again.

What the client asked for is told better where the encoder reads the client's last three messages as it reads those of
the counselor: from their vectors, that of the advice and the client's words permission was told with an area under the
curve of .92 on dev (.89 as it stands; ESConv .92 and .89, practice chats .94 and .92; tried, not stored). By share that
is right, cross-validated over the conversations of dev, it is no gain over all: the vectors of the three beside what
stands give .015 [-.012, .038] more of 478 messages (.83 as it stands), .027 [.003, .052] more in ESConv and .067 [.015,
.125] less in the practice chats. One pass over the three together gives .015 [-.009, .041] more over all. The client's
words of the last 8, 12 or 20 messages in place of 5 give .83 or .84. Further passes were not built.

Then permission was looked for in single sentences (model 0.13.2, `mi_coder/tagger/asking.py`). In a chat of ESConv's
dev part it seldom changes: after a piece of advice with permission the next had it in 38 of 42 cases, of which 0.13.1
told 15; it mostly missed the sentence that asked. A noisy or over every sentence of the client among the last 20
messages, from word pieces, pairs and triples of them, has by itself (4,974 pieces of advice of train, three folds by
conversation; tried, not stored) an area under the curve of .92 in ESConv and .87 in the practice chats; .90 and .87
with 10 messages, .84 and .83 with 5. Whole messages in place of sentences have .88 and .85 with 10, one bag of all
single word pieces of the last 5, as in 0.6.0, .80 and .80. The counselor's sentences, too, give .91 and .89, and no
more that are right (.86 and .81; without them .87 and .81). Beside the encoder, with shares and calibration fitted on
dev in five folds by conversation, .029 [.004, .057] more of 478 messages are right, .038 [.011, .073] more in ESConv
and .008 [-.025, .041] less in the practice chats. How many messages, and sentences in place of messages, was chosen
by the folds of train.

AnnoMI's folds were run again from an encoder that learned all of today's other corpora (29,501 messages; the run before
lacked 349 of the practice chats): .762 and .518 over four and eight classes, where that run had .769 and .506.
Pooled over the folds the newer run has .009 less [-.003, .020] over four classes and .009 more [-.008, .026] over
eight, by paired resampling of transcripts (tried, not stored). The newer run is the one that is stored, which was
decided before it was seen.

Also tried on dev, not stored: word pairs and client's words beside the encoder, for the codes as they stand there for
depth and permission. A logistic regression on hashed pairs of word pieces lowers the loss of model 0.9.0 by .03, as
TF-IDF does, and raises no macro-F1; one on the client's words tells a little of PR and REF and nothing of CC.
Nor do the probabilities of the counselor's messages around help, by a logistic regression for each code that is
cross-fitted over the conversations of dev (0.12.0; beside the same without them: macro-F1 .811, exact match .715, loss
1.241): of the three before, .810, .718 and 1.226; of the three before and after and the place in the chat, .813, .723
and 1.211, with chit-chat in ESConv found no better.

What is decided from the probabilities was tried, too, on dev with five folds by conversation, in which calibration and
thresholds were fitted anew (0.13.1; tried, not stored; differences to the decision rule as it stands, paired over
conversations). A model of the whole set of codes, which weighs each code, each pair of codes and the number of codes,
and gives the likeliest set: exact match +.007 [-.002, .017], macro-F1 -.002 [-.007, .005]; +.030 [.016, .045] and +.010
[.002, .018] in the practice chats, but macro-F1 -.016 [-.026, -.005] in ESConv and -.042 [-.106, -.008] in AnnoMI. The
probability of the given set under that model in place of the product over codes takes away -.009 [-.035, .007] more of
the error on the surest 80 %, a logistic regression on probabilities, margins and length of the message -.009 [-.022,
.011], boosted trees -.007 [-.034, .014], a random forest -.001 [-.022, .017]: the product stays. 0.5 as the threshold
of every code: macro-F1 +.003 [-.002, .009], exact match +.008 [.000, .017]; the threshold that calibrated probabilities
ask for, not drawn to what was best on dev: +.004 [.000, .008] and +.002 [-.003, .008], in AnnoMI's chats macro-F1 -.016
[-.038, .003].

`adjusted` is the same model as `weights-none`, and must be: with one sigmoid per code the bias of the code takes up
what is added to its logit, and calibration takes the rest."""


def _of(one: Stored, corpus: str, what: str) -> float | None:
    """A figure of a stored run; None where it is not stored."""
    found = one.get(corpus, {})
    if what in ("depth", "permission"):
        return found.get(what, {}).get("right")
    if what in ("calibration", "doubt"):
        return found.get(what)
    return found.get("f1", {}).get(what, found.get("f1_few", {}).get(what))


def _support(one: Stored, corpus: str, what: str) -> str:
    """The messages that a figure of a code or an attribute rests on, and what is right in them without any reading."""
    found = one.get(corpus, {})
    if what in ("depth", "permission"):
        told = found.get(what)
        return f" (n {told['messages']}, most frequent {told['most_frequent']:.3f})" if told else ""
    number = found.get("positives", {}).get(what)
    return f" (n {number})" if number else ""


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _cell(macro: Stored | None) -> str:
    if macro is None or macro["value"] is None:
        return "–"
    if not macro["difference"] or macro["difference"] == [0, 0, 0]:
        return f"{macro['value']:.3f}"
    value, low, high = macro["difference"]
    return f"{macro['value']:.3f}, {value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows))


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


def _named(model: ModelFolder) -> dict[str, str]:
    return {
        "model": f"{model.config.name} {model.config.version}",
        "sha256": model.config.files[MODEL_FILE][:16],
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
    others = [_without_gold(chat) for chat in split(read_gold(uncoded))["train"] if chat.id not in known]
    dev = sorted(parts["dev"], key=lambda chat: chat.id)
    return Data(parts["train"], dev, others, parts["test"], {path.name: file_sha256(path)[:16] for path in gold})


def _without_gold(chat: Conversation) -> Conversation:
    """The chat without what a crosswalk tells of it."""
    return replace(chat, messages=[replace(message, gold=None) for message in chat.messages])


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
    print(name, *(f"{corpus} {_cell(figures[corpus])}" for corpus in JUDGED if corpus in figures), flush=True)


if __name__ == "__main__":
    main()
