"""From files to a report: gold codes against a tagged file or a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mi_coder.arrays import Bools
from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation, model_text
from mi_coder.corpora.parts import Part, split
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.baseline import WORDS_FILE, Baseline
from mi_coder.evaluation.coder import Coder, file_coder, model_coder
from mi_coder.evaluation.compare import Comparison, compare, from_codes, has_gold
from mi_coder.evaluation.doubt import SETS
from mi_coder.evaluation.evaluate import evaluate
from mi_coder.evaluation.leak import overlap
from mi_coder.evaluation.report import EvaluationReport, Options, Source
from mi_coder.formats.gold_reading import gold_conversations
from mi_coder.formats.on_disk import check_on_disk
from mi_coder.formats.options import AS_CODED, ReadOptions
from mi_coder.progress import Progress, unwatched, watched
from mi_coder.tagger.config import read_config
from mi_coder.tagger.model import file_sha256

Seen = Literal["refuse", "leave out", "allow"]

_NAMED = 5


class TrainedOnThese(UsageProblem):
    """A model is to be tested on conversations that it was trained on."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to evaluate.

    Attributes:
        gold: file with gold codes.
        tagged: the same messages with a coder's codes; None to tag them with `model`.
        model: model folder; None for the bundled model. Beside `tagged`: the model that made it.
        baseline: folder of a model whose baseline is shown for comparison; None for that of the evaluated model.
        part: the part of `gold` that is tested, by the same rule as in training; None for all of it.
        seen: what to do with conversations that a model was trained on, or whose `source_group` it was trained on.
        threads: messages that are tagged at the same time. It changes the speed and no figure.
        read: how both files are read.
    """

    gold: str | Path
    tagged: str | Path | None = None
    model: str | Path | None = None
    baseline: str | Path | None = None
    part: Part | None = None
    seen: Seen = "refuse"
    options: Options = field(default_factory=Options)
    threads: int = 1
    read: ReadOptions = AS_CODED


def evaluate_files(
    request: Request, stage: Callable[[str], None] = lambda name: None, progress: Progress = unwatched
) -> EvaluationReport:
    """Read, tag where needed, and evaluate.

    Args:
        stage: called with what is done next.
        progress: called after each conversation that is tagged.

    Raises:
        TrainedOnThese: a model was trained on a gold conversation or its group and `seen` is "refuse", or on all.
        NotComparable: the two files do not have the same messages.
        MiCoderError: a file cannot be read; a model is missing or made for another codebook.
    """
    book = Codebook.load()
    file, tagged = Path(request.gold), _path(request.tagged)
    model, baseline_folder = _path(request.model), _path(request.baseline)
    check_on_disk(file, *([tagged] if tagged else []))
    coder = file_coder(tagged, model) if tagged else model_coder(model)
    stage("reading")
    gold, gold_remark = _read_gold(file, request.read)
    if request.part:
        gold = _of_part(gold, request.part, file)
    seen = overlap(gold, _training_ids(coder, baseline_folder))
    tested = _tested(gold, seen, request.seen)
    codings = coder.codings(tested, request.threads, request.read)
    if not tagged:
        stage("tagging")
        codings = watched(codings, len(tested), progress)
    comparison = compare(tested, codings, book.ids)
    stage("computing figures and intervals")
    baseline, baseline_remark = _baseline(coder, baseline_folder, comparison)
    source = Source(
        gold=file.name,
        gold_sha256=file_sha256(file),
        coder=coder.name,
        coder_sha256=coder.sha256,
        codebook=book.hash,
        title_warning=_warning(seen, request.seen),
    )
    notes = [*gold_remark, *_training_remarks(coder, seen, request.seen), *baseline_remark]
    return evaluate(comparison, source, request.options, baseline, coder.untrained, notes, coder.set_cut(SETS))


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def _read_gold(path: Path, options: ReadOptions) -> tuple[list[Conversation], list[str]]:
    """The conversations with gold, or, in a file without any, those with finished codes, and a remark on it."""
    conversations = list(map(_without_coding, gold_conversations(path, options)))
    if any(message.gold for one in conversations for message in one.messages):
        return list(filter(has_gold, conversations)), []
    coded = [from_codes(one, Codebook.load().ids) for one in conversations]
    remarks = [f"{path.name} has no field gold: its field codes is taken as complete gold."]
    if any(message.coding and message.coding.scores for one in conversations for message in one.messages):
        remarks.append(
            "Its codes have scores, so a tagger gave them: the figures say how far taggers agree, not how good one is."
        )
    return list(filter(has_gold, coded)), remarks


def _without_coding(conversation: Conversation) -> Conversation:
    """A conversation that has gold without the coder's codes, which are many and not read here."""
    if not any(message.gold for message in conversation.messages):
        return conversation
    return replace(conversation, messages=[replace(message, coding=None) for message in conversation.messages])


def _of_part(gold: Sequence[Conversation], part: Part, path: Path) -> list[Conversation]:
    kept = split(gold)[part]
    if not kept:
        raise UsageProblem(f"No conversation of {path} with gold codes is in the part {part}.")
    return kept


def _training_ids(coder: Coder, baseline: Path | None) -> list[str]:
    configs = [coder.config] if coder.config else []
    if baseline:
        configs.append(read_config(baseline))
    return [hashed for config in configs for hashed in config.training_ids]


def _tested(gold: list[Conversation], seen: Sequence[str], choice: Seen) -> list[Conversation]:
    """The conversations to test on."""
    if not seen or choice == "allow":
        return gold
    if choice == "refuse" or len(seen) == len(gold):
        named = ", ".join(seen[:_NAMED]) + (", ..." if len(seen) > _NAMED else "")
        raise TrainedOnThese(
            f"The model was trained on {len(seen)} of the {len(gold)} gold conversations ({named}) or on others of "
            "their source_group, so figures on them would be too good. Evaluate on others, leave these out with "
            "--only-unseen, or keep them with --allow-seen."
        )
    left_out = set(seen)
    return [one for one in gold if one.id not in left_out]


def _warning(seen: Sequence[str], choice: Seen) -> str:
    return (
        f" (WARNING: trained on {len(seen)} of these conversations or their groups)"
        if seen and choice == "allow"
        else ""
    )


def _training_remarks(coder: Coder, seen: Sequence[str], choice: Seen) -> list[str]:
    remarks = []
    if seen and choice == "leave out":
        remarks.append(
            f"{len(seen)} gold conversations on which, or on whose group, the model was trained are left out."
        )
    if not coder.config or not coder.config.training_ids:
        remarks.append(
            "Which conversations the coder was trained on is not known, so these may be among them. "
            "Where a model made the codes, mi-code evaluate takes its folder with --model."
        )
    return remarks


def _baseline(coder: Coder, chosen: Path | None, comparison: Comparison) -> tuple[Bools | None, list[str]]:
    """What the baseline gives, and a remark where there is none to ask."""
    folder = chosen or coder.folder
    if folder is None:
        return None, ["No baseline: mi-code evaluate takes a model folder with --baseline."]
    if not chosen and not (folder / WORDS_FILE).is_file():
        return None, ["No baseline: the model has none. mi-code evaluate takes another model's folder with --baseline."]
    baseline = Baseline.load(folder)
    if baseline.codes != comparison.codes:
        raise UsageProblem(
            f"The baseline in {folder} was trained for other codes. Train it again with `mi-code train`."
        )
    return baseline.predict([model_text(text) for text in comparison.texts]), []
