"""What a few hundred coded messages of another platform are worth: the bundled model as it is, and taught by them.

python benchmarks/go_on.py [--data ../shared/data] [--threads 1]

Welivita and Pu's labeled forum sentences, which the bundled model never read, stand for the other platform. Five folds
by text: one to test, one for dev, three to learn from. Compared, all judged on the same sentences: the bundled model as
it is, trained on from there, the same encoder trained from MiniLM, and TF-IDF. Writes benchmarks/runs/go_on.md, which
has no text.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mi_coder import __version__, corpora
from mi_coder.arrays import Bools, Floats
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation
from mi_coder.evaluation.baseline import Baseline
from mi_coder.evaluation.bootstrap import interval, resampled
from mi_coder.evaluation.metrics import Confusion, macro
from mi_coder.formats import write_conversations
from mi_coder.tagger.config import MODEL_FILE, TOKENIZER_FILE
from mi_coder.tagger.model import open_model
from mi_coder.tagger.tagger import Tagger
from mi_coder.tagger.window import WindowBuilder
from mi_coder.training.base import MINILM
from mi_coder.training.data import examples
from mi_coder.training.encoder import Funnel
from mi_coder.training.fold import Fold
from mi_coder.training.run import TrainOptions, train
from mi_coder.training.start import BUNDLED, FEW
from mi_coder.training.targets import targets

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "runs" / "go_on.md"
FOLDS = 5
NUMBERS = range(1, FOLDS + 1)
LEAST = 20
FRESH = replace(FEW, lr=1.5e-4)
NAMES = ("TF-IDF", "from MiniLM", "bundled as it is", "from bundled on")


def fold_of(chat: Conversation) -> int:
    """The fold of a sentence, from 1, by a hash of its text."""
    return next(number for number in NUMBERS if Fold(number, FOLDS).holds(chat))


def given(tagger: Tagger, chats: Sequence[Conversation], codes: Sequence[str]) -> Bools:
    """[messages, codes] what a tagger gives."""
    coded = [
        message.coding.codes if message.coding else ()
        for chat in tagger.tag_many(chats)
        for message in chat.messages
        if message.is_counselor
    ]
    return np.array([[code in one for code in codes] for one in coded])


def run_fold(fold: int, chats: Sequence[Conversation], codes: Sequence[str], threads: int) -> dict[str, Bools]:
    """What each of `NAMES` gives the sentences of a fold."""
    parts = {number: [chat for chat in chats if fold_of(chat) == number] for number in NUMBERS}
    dev = fold % FOLDS + 1
    named = {number: "test" if number == fold else "dev" if number == dev else "train" for number in NUMBERS}
    with TemporaryDirectory() as temporary:
        gold = Path(temporary) / "gold.jsonl"
        split = [
            replace(chat, extra={**chat.extra, "split": named[number]})
            for number, those in parts.items()
            for chat in those
        ]
        write_conversations(iter(split), str(gold))
        options = TrainOptions(gold=(gold,), output=Path(temporary) / "on", version="1", base=BUNDLED)
        on = train(replace(options, fit=replace(FEW, threads=threads))).folder
        fresh = train(
            replace(
                options,
                base=MINILM,
                output=Path(temporary) / "fresh",
                funnel=Funnel(),
                fit=replace(FRESH, threads=threads),
            )
        ).folder
        texts = [message.text for chat in parts[fold] for message in chat.messages if message.is_counselor]
        return {
            "TF-IDF": Baseline.load(fresh).predict(texts),
            "from MiniLM": given(Tagger.load(fresh), parts[fold], codes),
            "bundled as it is": given(Tagger.load(), parts[fold], codes),
            "from bundled on": given(Tagger.load(on), parts[fold], codes),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    book = Codebook.load()
    chats = list(corpora.load("welivita", options.data))
    model = open_model()
    builder = WindowBuilder.from_file(model.path / TOKENIZER_FILE, model.config.window)
    found: dict[str, list[Bools]] = {name: [] for name in NAMES}
    known: list[Floats] = []
    for fold in NUMBERS:
        tested = [one for chat in chats if fold_of(chat) == fold for one in examples(chat, builder)]
        known.append(targets(tested, book).known[:, : len(book.ids)])
        for name, codes in run_fold(fold, chats, book.ids, options.threads).items():
            found[name].append(codes)
        print(f"fold {fold} of {FOLDS}: {len(tested)} sentences")
    truth = np.concatenate(known)
    counted = (truth == 1).sum(axis=0) >= LEAST
    figures, draws = {}, {}
    for name in NAMES:
        cells = Confusion.of_messages(truth, np.concatenate(found[name])).cells
        figures[name] = float(macro(Confusion(cells).total().f1, counted))
        draws[name] = macro(Confusion(resampled(cells, np.arange(len(cells)), 1000, 0)).f1, counted)
    rows = []
    for name in NAMES:
        (low, high), (less, more) = interval(draws[name]), interval(draws[NAMES[-1]] - draws[name])
        gain = f"{figures[NAMES[-1]] - figures[name]:+.3f} [{less:+.3f}, {more:+.3f}]" if name != NAMES[-1] else "–"
        rows.append(f"| {name} | {figures[name]:.3f} [{low:.3f}, {high:.3f}] | {gain} |")
    learned = round(len(truth) * (FOLDS - 2) / FOLDS)
    text = [
        "# A few hundred coded messages of another platform",
        "",
        f"Made by `python benchmarks/go_on.py` with mi-coder {__version__}, model {model.config.version} "
        f"({model.config.files[MODEL_FILE][:8]}).",
        "",
        f"{len(truth)} labeled forum sentences of Welivita and Pu, crosswalked, five folds; some {learned} of them to "
        f"learn from in each. Macro-F1 of the {int(counted.sum())} codes with {LEAST} positives; 95 % intervals from "
        "resampling sentences.",
        "",
        f"| model | macro-F1 | what {NAMES[-1]} has more |",
        "| --- | --- | --- |",
        *rows,
    ]
    RESULT.write_text("\n".join(text) + "\n", encoding="utf-8")
    print(RESULT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
