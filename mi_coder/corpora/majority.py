"""One answer from several raters."""

from collections import Counter
from collections.abc import Collection, Sequence


def majority(votes: Sequence[str | None]) -> frozenset[str | None]:
    """The answers that the raters leave open; one answer where more than half of them settle it.

    A vote is the kind (open, closed) that a rater gives, or None where the rater does not see the attribute at all.
    First they decide whether it is there, then those who see it decide on its kind. Where exactly half see it, None and
    every kind given stay open; where no kind has more than half of those who see it, every kind given does.
    """
    kinds = Counter(vote for vote in votes if vote is not None)
    seen = kinds.total()
    if 2 * seen < len(votes):
        return frozenset([None])
    if 2 * seen == len(votes):
        return frozenset([None, *kinds])
    kind, count = kinds.most_common(1)[0]
    return frozenset([kind]) if 2 * count > seen else frozenset(kinds)


def settled(answers: Collection[str | None]) -> str | None:
    """The one answer that is left open, or None where there are several or it is that the attribute is absent."""
    return next(iter(answers)) if len(answers) == 1 else None
