"""Gold conversations become training examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_coder.conversation import Conversation, Gold, model_text
from mi_coder.errors import UsageProblem
from mi_coder.formats.gold_reading import gold_conversations
from mi_coder.formats.options import AS_CODED, ReadOptions
from mi_coder.tagger.window import Tokens, WindowBuilder

UNCODED = "no codes; what teachers predict for it is learned"
MIXED = "no codes: copies with mixed sentences; what teachers predict for them is learned"


@dataclass(frozen=True, slots=True)
class Example:
    """One counselor message and what is known of its codes.

    Attributes:
        conversation: id of its conversation.
        corpus: the data set it comes from: the field `corpus` of its conversation, else the name of its file.
        gold_from: where the codes come from, as the conversation says in its field `gold_from`, if it does.
        text: the message alone, which is all that the baseline reads.
        tokens: the message with its context, which is what the encoder reads.
    """

    conversation: str
    corpus: str
    text: str
    tokens: Tokens
    gold: Gold
    gold_from: str | None = None


def read_gold(paths: Sequence[Path], read: ReadOptions = AS_CODED) -> list[Conversation]:
    """Read gold files. Every conversation gets the field `corpus` in its `extra` where it has none.

    They may be tagged files: what a tagger gave stands beside the gold and has no part in training.

    Raises:
        UsageProblem: a conversation id occurs twice, so that its messages could land in two parts; or as
            `gold_conversations`.
        MiCoderError: a file is malformed; names file, line and field.
    """
    conversations: list[Conversation] = []
    seen: dict[str, Path] = {}
    for path in paths:
        for conversation in gold_conversations(path, read):
            if conversation.id in seen:
                raise UsageProblem(
                    f"The conversation id {conversation.id!r} of {path} is already in {seen[conversation.id]}. "
                    "Name each file once; where two files use the same ids, give them a prefix."
                )
            seen[conversation.id] = path
            conversation.extra.setdefault("corpus", path.name.partition(".")[0])
            conversations.append(conversation)
    return conversations


def examples(conversation: Conversation, builder: WindowBuilder, uncoded: bool = False) -> Iterator[Example]:
    """The counselor messages of a conversation of which any code is known. Empty messages teach nothing.

    Args:
        uncoded: also those of which no code is known.
    """
    reach = builder.window.reach
    for index, message in enumerate(conversation.messages):
        text = model_text(message.text)
        gold = message.gold or Gold()
        if not message.is_counselor or not text or not (uncoded or _informative(gold)):
            continue
        before = conversation.messages[max(0, index - reach) : index]
        tokens = builder.build(message.text, before)
        corpus = str(conversation.extra["corpus"])
        gold_from = conversation.extra.get("gold_from")
        if not _informative(gold) and gold_from != MIXED:
            gold_from = UNCODED
        yield Example(conversation.id, corpus, text, tokens, gold, gold_from)


def _informative(gold: Gold) -> bool:
    return bool(gold.positive or gold.negative or gold.any_of or gold.depth or gold.permission)
