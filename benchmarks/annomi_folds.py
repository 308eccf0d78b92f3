"""AnnoMI in its own classes, five folds by video, trained fold by fold.

python benchmarks/annomi_folds.py [--data ../shared/data] [--threads 1]

The defaults are those with which the bundled model began. The stored run is not theirs: it reads no context, and its
encoder first learned the 21 codes of other corpora (gold files of ESConv, MIBot, physical activity and the practice
chats train_a to train_bg; no AnnoMI, although authors of spoken practice sessions had looked at some of its chats):

python benchmarks/annomi_folds.py --context 0 --layer-decay 0.9 --epochs 4 --lr 1e-4 --word-dropout 0.1 \\
    --threads 2 --encoder FOLDER --others GOLD...

Writes benchmarks/runs/annomi_folds.csv (places and classes, no text) after every fold; folds that are in it are not
run again, and an --encoder that is there is taken as it is. Eight classes: the main behavior of a turn with its kind,
by the majority of its raters; turns that they do not settle are left out. Options (24 turns) count as negotiation:
both leave the decision with the client. The four classes are chosen by the summed probabilities of the eight.
"""

import argparse
import csv
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from mi_coder import corpora
from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, model_text
from mi_coder.corpora.parts import group_of, split
from mi_coder.evaluation.folds import Judged, fold_figures, read_judged, write_judged
from mi_coder.tagger.config import TOKENIZER_FILE, Window
from mi_coder.tagger.window import Tokens, WindowBuilder
from mi_coder.training.base import MINILM, resolve_base
from mi_coder.training.baseline_fit import Labeled, fit_baseline
from mi_coder.training.data import examples, read_gold
from mi_coder.training.encoder import Funnel
from mi_coder.training.fit import FitData, FitOptions, fit, logits, set_seeds
from mi_coder.training.model import Coder
from mi_coder.training.targets import Targets, head_names, targets

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "runs" / "annomi_folds.csv"
FOLDS = 5
DEV_SHARE = 6
CLASSES = (
    "open question",
    "closed question",
    "simple reflection",
    "complex reflection",
    "information",
    "advice",
    "negotiation",
    "other",
)
FOUR = {
    "open question": "question",
    "closed question": "question",
    "simple reflection": "reflection",
    "complex reflection": "reflection",
    "information": "input",
    "advice": "input",
    "negotiation": "input",
    "other": "other",
}
LEVELS = ("8", "4")
TAUS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Turn:
    """One therapist turn: its place, what the encoder reads, and its class."""

    conversation: str
    index: int
    text: str
    tokens: Tokens
    truth: int


def ratings(path: Path) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """The class of every therapist turn by transcript and utterance, for each of its raters by name."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["interlocutor"] == "therapist":
                found[row["transcript_id"], row["utterance_id"]][row["annotator_id"]] = _class(row)
    return found


def classes_of(path: Path) -> Mapping[tuple[str, str], str | None]:
    """The class of every therapist turn by transcript and utterance; None where its raters do not settle it."""
    return {place: _majority(Counter(by_rater.values())) for place, by_rater in ratings(path).items()}


def _class(row: Mapping[str, str]) -> str:
    match row["main_therapist_behaviour"]:
        case "question" | "reflection" as behavior:
            return f"{row[f'{behavior}_subtype']} {behavior}"
        case "therapist_input":
            kind = row["therapist_input_subtype"]
            return "negotiation" if kind == "options" else kind
        case _:
            return "other"


def _majority(count: Counter[str]) -> str | None:
    winner, votes = count.most_common(1)[0]
    return winner if 2 * votes > count.total() and winner in CLASSES else None


def fold_of(group: str, parts: int = FOLDS) -> int:
    """The fold of a video, by a hash of its name."""
    return int.from_bytes(sha256(f"fold:{group}".encode()).digest()[:8], "big") % parts


def dev_groups(turns_of: Mapping[str, int]) -> set[str]:
    """The first videos, in the order of a hash of their names, that together have a sixth of the turns."""
    kept: set[str] = set()
    for group in sorted(turns_of, key=lambda one: sha256(f"dev:{one}".encode()).digest()):
        if sum(turns_of[one] for one in kept) < sum(turns_of.values()) / DEV_SHARE:
            kept.add(group)
    return kept


def turns(
    conversation: Conversation, builder: WindowBuilder, classes: Mapping[tuple[str, str], str | None]
) -> list[Turn]:
    """The therapist turns whose class is settled."""
    transcript = conversation.id.removeprefix("annomi-")
    found = []
    for index, message in enumerate(conversation.messages):
        truth = classes.get((transcript, str(index))) if message.is_counselor else None
        if truth and model_text(message.text):
            before = conversation.messages[max(0, index - builder.window.context) : index]
            tokens = builder.build(message.text, before)
            found.append(Turn(conversation.id, index, message.text, tokens, CLASSES.index(truth)))
    return found


def one_hot(rows: Sequence[Turn]) -> Floats:
    """[turns, classes]."""
    return np.eye(len(CLASSES))[[row.truth for row in rows]]


def data(rows: Sequence[Turn]) -> FitData:
    nothing = np.zeros((0, len(CLASSES)), dtype=bool), np.zeros(0, dtype=np.intp)
    return FitData([row.tokens for row in rows], Targets(one_hot(rows), *nothing))


def decide(probability: Floats) -> dict[str, list[str]]:
    """Classes by level of [turns, 8] probabilities."""
    names = sorted(set(FOUR.values()))
    summed = np.stack([probability[:, [FOUR[one] == name for one in CLASSES]].sum(axis=1) for name in names], axis=1)
    return {
        "8": [CLASSES[row] for row in probability.argmax(axis=1)],
        "4": [names[row] for row in summed.argmax(axis=1)],
    }


def adjusted(scores: Floats, prior: Floats, tau: float) -> Floats:
    """Probabilities of [turns, 8] logits with tau times the log of the base rates taken out, summing to 1."""
    z = scores - tau * np.log(prior)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def macro_f1(truth: Sequence[str], given: Sequence[str]) -> float:
    rows = [
        Judged(0, str(i), i, {("x", "truth"): t, ("x", "given"): g})
        for i, (t, g) in enumerate(zip(truth, given, strict=True))
    ]
    return fold_figures(rows, "x").by_fold[0]


def best_tau(scores: Floats, prior: Floats, rows: Sequence[Turn]) -> float:
    """The tau with the highest macro-F1 over the eight classes on dev."""
    truth = [CLASSES[row.truth] for row in rows]
    return max(TAUS, key=lambda tau: macro_f1(truth, decide(adjusted(scores, prior, tau))["8"]))


def run_fold(
    fold: int, by_fold: Mapping[int, Mapping[str, list[Turn]]], base: Path, options: argparse.Namespace
) -> list[Judged]:
    """Train on the other folds, a sixth of their turns, by video, kept for dev, and judge the fold."""
    others = {group: rows for number, groups in by_fold.items() if number != fold for group, rows in groups.items()}
    kept = dev_groups({group: len(rows) for group, rows in others.items()})
    dev = [row for group, rows in others.items() if group in kept for row in rows]
    train = [row for group, rows in others.items() if group not in kept for row in rows]
    test = [row for rows in by_fold[fold].values() for row in rows]
    started = time.perf_counter()
    set_seeds(options.seed)
    funnel = None if options.all_layers else Funnel()
    model = Coder.from_folder(base, len(CLASSES), funnel)
    fitted = FitOptions(
        epochs=options.epochs,
        lr=options.lr,
        patience=options.epochs,
        layer_decay=options.layer_decay,
        freeze_words=True,
        dropout=options.dropout,
        word_dropout=options.word_dropout,
        weighting=options.weighting,
        seed=options.seed,
        threads=options.threads,
    )
    epochs = fit(model, data(train), data(dev), fitted)
    prior = one_hot(train).mean(axis=0)
    scores = {name: logits(model, [row.tokens for row in rows]) for name, rows in (("dev", dev), ("test", test))}
    tau = best_tau(scores["dev"], prior, dev)
    on_dev = macro_f1([CLASSES[row.truth] for row in dev], decide(adjusted(scores["dev"], prior, tau))["8"])
    given = decide(adjusted(scores["test"], prior, tau))
    learned, tuned = (Labeled([row.text for row in rows], one_hot(rows)) for rows in (train, dev))
    beside = decide(fit_baseline(CLASSES, learned, tuned, options.seed).probabilities([row.text for row in test]))
    print(
        f"fold {fold}: {len(train)} turns to learn from, {len(dev)} dev, {len(test)} test; best epoch "
        f"{next(one.number for one in epochs if one.best)}, tau {tau}, dev macro-F1 {on_dev:.3f}, "
        f"{time.perf_counter() - started:.0f} s",
        flush=True,
    )
    judged = []
    for place, row in enumerate(test):
        truth = {"8": CLASSES[row.truth], "4": FOUR[CLASSES[row.truth]]}
        kinds = {"truth": truth, "given": {level: given[level][place] for level in LEVELS}}
        kinds["baseline"] = {level: beside[level][place] for level in LEVELS}
        classes = {(level, kind): values[level] for kind, values in kinds.items() for level in LEVELS}
        judged.append(Judged(fold, row.conversation, row.index, classes))
    return judged


def learn_others(gold: Sequence[Path], base: Path, folder: Path, options: argparse.Namespace) -> None:
    """Train the encoder on the 21 codes of other corpora and keep it, for the folds to start from."""
    book = Codebook.load()
    builder = WindowBuilder.from_file(base / TOKENIZER_FILE, Window(context=options.context))
    parts = split(read_gold(gold))
    train, dev = ([one for chat in parts[part] for one in examples(chat, builder)] for part in ("train", "dev"))
    if any(one.corpus == "annomi" for one in (*train, *dev)):
        raise SystemExit("--others must not hold AnnoMI: its videos are those of the folds")
    set_seeds(options.seed)
    model = Coder.from_folder(base, len(head_names(book)), None if options.all_layers else Funnel())
    learned, judged = (FitData([one.tokens for one in part], targets(part, book)) for part in (train, dev))
    fitted = FitOptions(
        epochs=5,
        patience=5,
        lr=1.5e-4,
        freeze_words=True,
        dropout=0.0,
        word_dropout=options.word_dropout,
        average=0.999,
        seed=options.seed,
        threads=options.threads,
    )
    epochs = fit(model, learned, judged, fitted)
    print(f"other corpora: {len(train)} messages, dev macro-F1 {max(one.dev_f1 for one in epochs):.3f}", flush=True)
    model.reader.encoder.save_pretrained(folder)
    shutil.copyfile(base / TOKENIZER_FILE, folder / TOKENIZER_FILE)


def show(rows: Sequence[Judged]) -> None:
    for level in LEVELS:
        for kind in ("given", "baseline"):
            figures = fold_figures(rows, level, kind)
            folds = " ".join(f"{one:.3f}" for one in figures.by_fold)
            classes = ", ".join(f"{name} {value:.2f}" for name, value in figures.by_class.items())
            title = "encoder" if kind == "given" else "TF-IDF"
            print(
                f"{level} classes, {title}: mean macro-F1 {figures.macro.value:.3f} "
                f"[{figures.macro.low:.3f}, {figures.macro.high:.3f}], accuracy {figures.accuracy:.3f}; "
                f"folds {folds}; {classes}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the corpora")
    parser.add_argument("--base", default=MINILM)
    parser.add_argument("--others", nargs="*", type=Path, default=[], help="gold files of other corpora to learn first")
    parser.add_argument("--encoder", type=Path, help="folder that keeps the encoder which learned the others")
    parser.add_argument("--context", type=int, default=5)
    parser.add_argument("--all-layers", action="store_true", help="all layers read the context")
    parser.add_argument("--weighting", choices=["none", "root", "inverse"], default="root")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--layer-decay", type=float, default=1.0)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--word-dropout", type=float, default=0.0)
    parser.add_argument("--lr", type=float, default=1.5e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folds", type=int, nargs="*", default=list(range(FOLDS)), help="which ones to run")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    base = resolve_base(options.base)
    if options.encoder:
        if not options.encoder.exists():
            learn_others(options.others, base, options.encoder, options)
        base = options.encoder
    builder = WindowBuilder.from_file(base / TOKENIZER_FILE, Window(context=options.context))
    classes = classes_of(options.data / "annomi" / "annomi_full_subset.csv")
    by_fold: dict[int, dict[str, list[Turn]]] = defaultdict(lambda: defaultdict(list))
    for conversation in corpora.load("annomi", options.data):
        group = group_of(conversation)
        by_fold[fold_of(group)][group] += turns(conversation, builder, classes)
    kept = sum(len(rows) for groups in by_fold.values() for rows in groups.values())
    print(f"{kept} turns, {sum(one is None for one in classes.values())} left out: no settled class")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    done = read_judged(options.output, LEVELS) if options.output.exists() else []
    for fold in options.folds:
        if fold not in {row.fold for row in done}:
            done += run_fold(fold, by_fold, base, options)
            write_judged(options.output, sorted(done, key=lambda row: row.fold), LEVELS)
    show(done)


if __name__ == "__main__":
    main()
