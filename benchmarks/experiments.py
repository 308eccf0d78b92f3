"""Training experiments on the dev part: one stored run per row of docs/experiments.md.

python benchmarks/experiments.py run [NAME ...] --gold esconv.jsonl ... [--uncoded FILE ...] [--teacher FOLDER ...]
python benchmarks/experiments.py score NAME FOLDER --gold esconv.jsonl ...    a finished model folder
python benchmarks/experiments.py table                                       writes docs/experiments.md

Gold files are those of the README's training command. Runs that are stored are not run again. The test part is never
read. A run trains on every fourth conversation unless it says otherwise, so that a machine without a GPU can try many.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mi_coder.codebook import Codebook
from mi_coder.conversation import CLIENT, Conversation, Message
from mi_coder.evaluation.metrics import Bools
from mi_coder.evaluation.report import EvaluationReport
from mi_coder.tagger.config import MODEL_FILE, TOKENIZER_FILE, ModelConfig, Window
from mi_coder.tagger.decoding import Decoder
from mi_coder.tagger.encoder import Encoder
from mi_coder.tagger.model import open_model
from mi_coder.tagger.window import Tokens, WindowBuilder
from mi_coder.training.base import MINILM, resolve_base
from mi_coder.training.calibrate import calibrated_heads
from mi_coder.training.data import Example, examples, read_gold
from mi_coder.training.device import best_device
from mi_coder.training.encoder import Funnel
from mi_coder.training.fit import FitData, FitOptions, fit, logits, set_seeds
from mi_coder.training.judge import judge
from mi_coder.training.model import Coder
from mi_coder.training.split import split
from mi_coder.training.targets import Targets, head_names, targets
from mi_coder.training.teaching import open_teachers, teach, tempered

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "benchmarks" / "runs" / "experiments"
TABLE = ROOT / "docs" / "experiments.md"
REFERENCE = "reference"
JUDGED = ("esconv", "practice")
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
        uncoded: chats without codes teach too, through the teachers.
    """

    what: str
    share: int = 4
    context: int = 5
    client_only: bool = False
    funnel: Funnel | None = field(default_factory=Funnel)
    fit: FitOptions = RECIPE
    adapted: bool = False
    corpora: tuple[str, ...] | None = None
    teacher_share: float | None = None
    uncoded: bool = False


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
        what="teachers, and silver labels of theirs on chats without codes", teacher_share=0.5, uncoded=True
    ),
    "no-practice": Experiment(
        what="without practice chats", corpora=("esconv", "annomi", "mibot", "physical_activity", "feedback_esconv")
    ),
    "esconv-alone": Experiment(what="ESConv alone", corpora=("esconv",)),
    "practice-alone": Experiment(what="practice chats alone", corpora=("practice",)),
    "eighth": Experiment(what="learning curve: an eighth of the training chats", share=8),
    "half": Experiment(what="learning curve: half of them", share=2),
}


class ClientOnly(WindowBuilder):
    """Windows whose context is the client's messages."""

    def build(self, text: str, context: Sequence[Message]) -> Tokens:
        """As the base class."""
        return super().build(text, [message for message in context if message.role == CLIENT])


@dataclass(frozen=True, slots=True)
class Data:
    """Conversations by part; the test part is not among them."""

    train: list[Conversation]
    dev: list[Conversation]
    uncoded: list[Conversation]
    test: list[Conversation]


def run(experiment: Experiment, data: Data, teachers: Sequence[Path], adapted: Path | None) -> dict[str, object]:
    """Train, and judge on dev; what is stored of it."""
    book = Codebook.load()
    base = resolve_base(str(adapted) if experiment.adapted and adapted else MINILM)
    window = Window(context=experiment.context)
    builder = (ClientOnly if experiment.client_only else WindowBuilder).from_file(base / TOKENIZER_FILE, window)
    chats = [
        chat
        for chat in data.train[:: experiment.share]
        if experiment.corpora is None or chat.extra["corpus"] in experiment.corpora
    ]
    if experiment.uncoded:
        chats += data.uncoded
    taught = experiment.teacher_share is not None
    learned = [one for chat in chats for one in examples(chat, builder, uncoded=taught)]
    judged = [one for chat in data.dev for one in examples(chat, builder)]
    train, dev = (FitData([one.tokens for one in part], targets(part, book)) for part in (learned, judged))
    if experiment.teacher_share is not None:
        told = teach(open_teachers(teachers, data.test), chats)
        train = replace(train, taught=tempered(train.targets, told, experiment.teacher_share))
    set_seeds(experiment.fit.seed)
    model = Coder.from_folder(base, len(head_names(book)), experiment.funnel).to(best_device())
    started = time.perf_counter()
    epochs = fit(model, train, dev, experiment.fit)
    scores = logits(model, dev.tokens)
    heads = calibrated_heads(
        scores, dev.targets.known, experiment.fit.balance(train.targets).lift, train.targets.trainable, len(book.ids)
    )
    config = _config(book, heads)
    return {
        "what": experiment.what,
        "messages": len(learned),
        "seconds": round(time.perf_counter() - started),
        "dev_f1_by_epoch": [round(one.dev_f1, 4) for one in epochs],
        **figures(scores.astype(np.float32), config, judged, dev.targets),
    }


def score(folder: Path, what: str, data: Data) -> dict[str, object]:
    """Judge a finished model on dev."""
    model = open_model(folder)
    builder = WindowBuilder.from_file(folder / TOKENIZER_FILE, model.config.window)
    judged = [one for chat in data.dev for one in examples(chat, builder)]
    scores = Encoder(folder / MODEL_FILE).logits([one.tokens for one in judged])
    return {"what": what, **figures(scores, model.config, judged, targets(judged, Codebook.load()))}


def figures(scores: np.ndarray, config: ModelConfig, judged: Sequence[Example], truth: Targets) -> dict[str, object]:
    """Macro-F1 on the dev chats of each judged corpus, beside the reference, and the codes given (no text)."""
    codings = Decoder(config, config.thresholds).decode(scores)
    given = ["+".join(sorted(one.codes)) for one in codings]
    stored = RUNS / f"{REFERENCE}.json"
    beside = json.loads(stored.read_text(encoding="utf-8"))["given"] if stored.exists() else given
    found: dict[str, object] = {}
    for corpus in JUDGED:
        rows = np.array([row for row, one in enumerate(judged) if one.corpus == corpus])
        reference = _matrix([beside[row] for row in rows], config.codes)
        report = judge(
            "dev",
            [judged[row] for row in rows],
            truth.take(rows),
            [codings[row] for row in rows],
            reference,
            config,
            "",
        )
        found[corpus] = _macro(report)
    return {**found, "given": given}


def table() -> str:
    """docs/experiments.md from the stored runs."""
    lines = []
    for name in [*EXPERIMENTS, *sorted(path.stem for path in RUNS.glob("*.json") if path.stem not in EXPERIMENTS)]:
        path = RUNS / f"{name}.json"
        if path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            cells = [_cell(stored[corpus], name == REFERENCE) for corpus in JUDGED]
            size = f"{stored['messages']:,}" if "messages" in stored else "all"
            lines.append(f"| `{name}` | {stored['what']} | {size} | {' | '.join(cells)} |")
    return _HEAD + "\n".join([*lines, "", *_curve(), "", _LIMITS])


def _curve() -> list[str]:
    """The learning curve from the stored runs that differ in the share of the training chats alone."""
    stored = {name: RUNS / f"{name}.json" for name in ("eighth", REFERENCE, "half")}
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in stored.values() if path.exists()]
    rows = [f"| {run['messages']:,} | {run['esconv']['value']:.3f} | {run['practice']['value']:.3f} |" for run in runs]
    whole = RUNS / "all-0.3.0.json"
    if whole.exists():
        run = json.loads(whole.read_text(encoding="utf-8"))
        rows.append(f"| all (about 10,800) | {run['esconv']['value']:.3f} | {run['practice']['value']:.3f} |")
    return [_CURVE, *rows]


_HEAD = """# Training experiments

Every row is a stored run (`benchmarks/runs/experiments/NAME.json`, with the codes given and no text), made by
`python benchmarks/experiments.py run NAME` and judged on the **dev part only**, which also chose epoch and thresholds:
read the differences, not the levels. The difference to `reference` has its 95 % interval by resampling conversations;
one that holds 0 is no finding. Figures are macro-F1 over the codes with at least 20 positives in the dev chats of
ESConv, and in the practice chats of dev.

| run | what | training messages | ESConv dev: macro-F1, difference | practice dev: macro-F1, difference |
|---|---|---|---|---|
"""


_CURVE = """## Learning curve

Macro-F1 on dev by the number of coded training messages, otherwise the recipe of the bundled model without teachers.

| training messages | ESConv dev | practice dev |
|---|---|---|"""

_LIMITS = """## What limits the codes that miss their target

Two readers of the same language model, blind to each other, agree on the test messages as follows (positive agreement,
which is an F1 of one reader against the other; `mi-code agreement` on the files of `annotations/`), beside the F1 of
model 0.5.0 on the same messages:

| code | chats | readers | tagger | reading |
|---|---|---|---|---|
| CO | practice | .98 | .57 | the encoder, not the codes: what blames and what argues often use the same words |
| IP | practice | .99 | .52 | the encoder: six kinds of harm with some twenty examples each |
| CC | practice, ESConv | .93, .87 | .70, .50 | the encoder: talk off the problem is known from the chat |
| DI | practice | .74 | .63 | the codes: an order with a threat was DI to the authors and is WA since |
| OT | ESConv | .74 | .67 | the codes: a rest that has no shape of its own |

The runs of the table were judged on dev as it was before its last disagreements were settled. On dev as it is now, with
more practice chats, model 0.5.0 has .812 in ESConv and .807 in the practice chats, and 0.4.0 .797 and .789; two models
of four epochs without teachers and without the practice chats `train_g` .802 and .785, .792 and .783. So settled
codes, 1,262 more practice messages, four teachers and seven epochs in place of five together gave .015 and .018; what
each gave was not measured.

The curve above still rises, most of all in the practice chats. A larger encoder that teaches this one, and more
examples of IP and CC, are the next things to try.

`adjusted` is the same model as `weights-none`, and must be: with one sigmoid per code the bias of the code takes up
what is added to its logit, and calibration takes the rest.
"""


def _cell(macro: dict[str, list[float] | float], reference: bool) -> str:
    if reference:
        return f"{macro['value']:.3f}"
    value, low, high = macro["difference"]  # type: ignore[misc]
    return f"{macro['value']:.3f}, {value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _macro(report: EvaluationReport) -> dict[str, object]:
    difference = report.macro.difference
    assert difference is not None
    return {
        "value": round(report.macro.coder.value, 4),
        "difference": [round(value, 4) for value in (difference.value, difference.low, difference.high)],
        "f1": {row.score.code: round(row.score.f1, 3) for row in report.rows if row.counted},
    }


def _matrix(given: Sequence[str], codes: Sequence[str]) -> Bools:
    return np.array([[code in one.split("+") for code in codes] for one in given])


def _config(book: Codebook, heads: list) -> ModelConfig:
    *codes, depth, permission = heads
    return ModelConfig(
        name="experiment",
        version="0",
        codebook=book.hash,
        codes=list(book.ids),
        heads=codes,
        depth=depth,
        permission=permission,
        review_below=0.0,
        window=Window(),
        base=MINILM,
        training_ids=[],
        files={MODEL_FILE: "", TOKENIZER_FILE: ""},
    )


def _data(gold: Sequence[Path], uncoded: Sequence[Path]) -> Data:
    parts = split(read_gold(gold))
    known = {chat.id for chats in parts.values() for chat in chats}
    others = [chat for chat in split(read_gold(uncoded))["train"] if chat.id not in known]
    return Data(parts["train"], parts["dev"], others, parts["test"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runs, scores = commands.add_parser("run"), commands.add_parser("score")
    commands.add_parser("table")
    runs.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(EXPERIMENTS)}")
    scores.add_argument("name")
    scores.add_argument("folder", type=Path)
    scores.add_argument("--what", required=True)
    for command in (runs, scores):
        command.add_argument("--gold", nargs="+", type=Path, required=True)
    runs.add_argument("--uncoded", nargs="*", type=Path, default=[], help="chats without codes, for teachers-silver")
    runs.add_argument("--teacher", nargs="*", type=Path, default=[], help="model folders")
    runs.add_argument("--adapted", type=Path, help="encoder folder of mi-code adapt")
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    if options.command == "score":
        _store(options.name, score(options.folder, options.what, _data(options.gold, [])))
    elif options.command == "run":
        data = _data(options.gold, options.uncoded)
        for name in options.names or EXPERIMENTS:
            if not (RUNS / f"{name}.json").exists():
                _check(name, options)
                _store(name, run(EXPERIMENTS[name], data, options.teacher, options.adapted))
    TABLE.write_text(table(), encoding="utf-8")


def _check(name: str, options: argparse.Namespace) -> None:
    """See that the run would be what its row says."""
    experiment = EXPERIMENTS[name]
    lacking = [
        flag
        for flag, needed, given in (
            ("--adapted", experiment.adapted, options.adapted),
            ("--teacher", experiment.teacher_share is not None, options.teacher),
            ("--uncoded", experiment.uncoded, options.uncoded),
        )
        if needed and not given
    ]
    if lacking:
        raise SystemExit(f"{name} needs {', '.join(lacking)}.")
    if name != REFERENCE and not (RUNS / f"{REFERENCE}.json").exists():
        raise SystemExit(f"Run {REFERENCE} first: the others are set against it.")


def _store(name: str, figures: dict[str, object]) -> None:
    (RUNS / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(name, figures["esconv"], figures["practice"], flush=True)


if __name__ == "__main__":
    main()
