"""Gold files become the parts that a training learns from, chooses by and is judged on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from mi_coder.codebook import Codebook
from mi_coder.conversation import Conversation
from mi_coder.corpora.parts import PARTS, Part, group_of, split
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.compare import has_gold
from mi_coder.evaluation.leak import overlap, training_hashes
from mi_coder.tagger.model import ModelFolder
from mi_coder.tagger.sentences import spacy_splitter
from mi_coder.tagger.window import Tokens, WindowBuilder
from mi_coder.training.baseline_fit import Labeled
from mi_coder.training.data import Example, examples, read_gold
from mi_coder.training.fit import FitData
from mi_coder.training.mixing import mixed
from mi_coder.training.progress import Progress
from mi_coder.training.start import Start
from mi_coder.training.targets import Targets, targets
from mi_coder.training.teaching import open_teachers, teach, tempered

if TYPE_CHECKING:
    from mi_coder.training.run import TrainOptions


@dataclass(frozen=True, slots=True)
class PartData:
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
        """[examples] what the encoder reads."""
        return [one.tokens for one in self.examples]

    @property
    def conversations(self) -> set[str]:
        """The ids of the conversations that the examples come from."""
        return {one.conversation for one in self.examples}

    def for_encoder(self) -> FitData:
        """The messages as the encoder reads them, and what it learns of them."""
        return FitData(self.tokens, self.targets, self.taught)

    def for_baseline(self, codes: int) -> Labeled:
        """The messages of which a code itself is known, which is all that the baseline learns from."""
        known = self.targets.known[:, :codes]
        coded = np.flatnonzero(~np.isnan(known).all(axis=1))
        return Labeled([self.examples[row].text for row in coded], known[coded])


def read_parts(
    options: "TrainOptions", builder: WindowBuilder, book: Codebook, start: Start, progress: Progress
) -> dict[Part, PartData]:
    """Every part as examples and targets.

    Raises:
        UsageProblem: the test part is known to the model before or to a teacher, a part has no coded messages, or
            nothing can be learned from the training part.
        MiCoderError: files or teachers that cannot be read.
    """
    chats = split(read_gold(options.gold, options.read))
    if options.leave_out:
        chats["train"] = [chat for chat in chats["train"] if not options.leave_out.holds(chat)]
    _refuse_seen(chats["test"], start)
    _note_seen(chats["dev"], start, progress)
    teachers = open_teachers(options.teaching.teachers, chats["test"])
    any_gold = any(map(has_gold, chain.from_iterable(chats.values())))
    parts: dict[Part, PartData] = {}
    for part, conversations in chats.items():
        taught = bool(teachers) and part == "train"
        if taught and options.mixed:
            conversations = [*conversations, *mixed(conversations, options.mixed, spacy_splitter(), options.fit.seed)]
        read = _part(conversations, builder, book, uncoded=taught)
        _refuse_empty(part, read, any_gold, len(book.ids))
        parts[part] = _learned(read, conversations, start, teachers, options) if part == "train" else read
    if not (start.finished or teachers or parts["train"].targets.trainable[: len(book.ids)].any()):
        raise UsageProblem(
            "No code has training messages that carry it and others that are known not to, so none can be learned. "
            "Give complete gold (codes), or name beside positive what is negative."
        )
    return parts


def _refuse_seen(tested: Sequence[Conversation], start: Start) -> None:
    if known := overlap(tested, start.training_ids):
        raise UsageProblem(
            f"{start.name} was trained on {len(known)} conversations of the test part, such as {known[0]!r}. Train it "
            "without them, or give them another part (field split)."
        )


def _note_seen(dev: Sequence[Conversation], start: Start, progress: Progress) -> None:
    if start.finished and (known := overlap(dev, start.training_ids)):
        progress.note(
            f"{start.name} was trained on {len(known)} conversations of the dev part: epoch, calibration and sets are "
            "chosen on them, so figures on dev are too good"
        )


def _part(conversations: Sequence[Conversation], builder: WindowBuilder, book: Codebook, uncoded: bool) -> PartData:
    found: list[Example] = []
    groups: list[str] = []
    hashes: set[str] = set()
    for conversation in conversations:
        used = list(examples(conversation, builder, uncoded=uncoded))
        found += used
        groups += [group_of(conversation)] * len(used)
        hashes.update(training_hashes(conversation) if used else ())
    return PartData(found, groups, targets(found, book), frozenset(hashes))


def _refuse_empty(part: Part, data: PartData, any_gold: bool, codes: int) -> None:
    if not data.examples and not any_gold:
        raise UsageProblem(
            'No counselor message carries gold codes. Each needs a field gold, such as {"codes": ["SU", "OQ"]}.'
        )
    if not data.examples:
        raise UsageProblem(
            f"No coded counselor message is in the part {part}. Give more conversations, or name the part of each "
            f"conversation in a field split: {', '.join(PARTS)}."
        )
    if not (data.targets.known[:, :codes] == 1).any():
        raise UsageProblem(
            f"No message of the part {part} is known to carry a code. Give more gold conversations: teachers add "
            "to gold and do not replace it."
        )


def _learned(
    data: PartData,
    conversations: Sequence[Conversation],
    start: Start,
    teachers: Sequence[ModelFolder],
    options: "TrainOptions",
) -> PartData:
    """The training part with what the model before and the teachers bring into it.

    Args:
        conversations: those of the part, in the order of its examples.
    """
    truth = data.targets.without_silent() if start.finished else data.targets
    hashes = data.hashes.union(start.training_ids, *(one.config.training_ids for one in teachers))
    taught = None
    if teachers:
        told = teach(teachers, conversations, options.fit.threads or 1)
        taught = tempered(truth, told, options.teaching.share)
    return replace(data, targets=truth, hashes=hashes, taught=taught)
