"""What a model was trained on, for its card and its license."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mi_coder import corpora
from mi_coder.training.data import Example

OWN_LICENSE = "not stated; ask whoever gave the data"
OWN_GOLD = "codes in the given file"


@dataclass(frozen=True, slots=True)
class Source:
    """One data set in the training part.

    Attributes:
        public: whether it is one of the public corpora that `mi-code corpora` reads.
        gold: where its codes come from.
        messages: counselor messages in the training part.
    """

    name: str
    title: str
    public: bool
    license: str
    gold: str
    citation: str
    conversations: int
    messages: int


# Invented chats that come with the project: no public corpus, but more is known of them than of a user's own file.
PRACTICE = "practice"
_PRACTICE_LICENSE = "that of the project"
_PRACTICE_GOLD = (
    "all 21 codes, given by the authors of the chats, a language model; in part read again, and settled where readings "
    "differed, by other readers of the same model"
)


def sources(examples: Sequence[Example]) -> tuple[Source, ...]:
    """The data sets of training examples, the largest first; one whose codes come from two places counts as two."""
    messages = Counter((example.corpus, example.gold_from) for example in examples)
    named = {(example.corpus, example.gold_from, example.conversation) for example in examples}
    conversations = Counter((corpus, gold_from) for corpus, gold_from, _ in named)
    return tuple(_source(*key, conversations[key], count) for key, count in messages.most_common())


def _source(name: str, gold_from: str | None, conversations: int, messages: int) -> Source:
    if name in corpora.names():
        known = corpora.info(name)
        gold = gold_from or known.gold
        return Source(name, known.title, True, known.license, gold, known.citation, conversations, messages)
    if name == PRACTICE:
        gold = gold_from or _PRACTICE_GOLD
        return Source(name, "Practice chats", False, _PRACTICE_LICENSE, gold, "", conversations, messages)
    return Source(name, name, False, OWN_LICENSE, gold_from or OWN_GOLD, "", conversations, messages)
