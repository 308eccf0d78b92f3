"""The ways to choose what is coded next, each as a plan with known inclusion probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mi_coder.annotation.clusters import clusters, text_vectors
from mi_coder.annotation.merit import Scores
from mi_coder.annotation.population import Candidate, Population
from mi_coder.annotation.sampling import Plan, proportional, simple, stratified
from mi_coder.arrays import Floats
from mi_coder.codebook import Codebook
from mi_coder.corpora.source import Row, read_rows
from mi_coder.errors import UsageProblem

Design = Literal["random", "stratified", "uncertainty", "rare-code", "diversity", "given"]
Vectors = Literal["scores", "text"]

LIKELIEST = "code"
CLUSTERS = 20
FLOOR = 0.2
NO_FLOOR = 1e-12
"""For chances that are given: they hold a floor already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to draw and how.

    Attributes:
        size: how many units.
        by: for stratified: a field of the conversation or the message, or `LIKELIEST` for the tagger's most likely
            code.
        minimum: for stratified: units from each stratum at least, as far as it has them.
        codes: for rare-code: those that are looked for; none for all that the tagger expects seldom.
        floor: for uncertainty and rare-code: share of the sample that is spread evenly.
        clusters: for diversity: how many at most; never more than `size`.
        vectors: for diversity: what tells whether units are alike.
    """

    design: Design
    size: int
    by: str = LIKELIEST
    minimum: int = 1
    codes: tuple[str, ...] = ()
    floor: float = FLOOR
    clusters: int = CLUSTERS
    vectors: Vectors = "scores"
    seed: int = 1

    @property
    def needs_scores(self) -> bool:
        """Whether the plan depends on a tagger."""
        return (
            self.design in ("uncertainty", "rare-code")
            or (self.design == "stratified" and self.by == LIKELIEST)
            or (self.design == "diversity" and self.vectors == "scores")
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and the codes that rare-code looks for (none in other designs)."""

    plan: Plan
    codes: tuple[str, ...] = ()


def read_chances(path: Path) -> dict[str, float]:
    """The probability of each conversation to be drawn: a CSV with conversation_id and probability.

    Raises:
        UsageProblem: other columns, a conversation twice, or a probability that is none; names file and line.
    """
    chances: dict[str, float] = {}
    for row in read_rows(path, ("conversation_id", "probability"), guarded=True):
        name = row["conversation_id"]
        if name in chances:
            raise row.problem("conversation_id", "is here more than once")
        chances[name] = probability(row, "probability")
    return chances


def probability(row: Row, column: str) -> float:
    """A cell that holds how likely something is to be drawn.

    Raises:
        UsageProblem: it holds none; names file, line and column.
    """
    try:
        value = row.number(column)
    except UsageProblem:
        value = None
    if value is None or not 0 < value <= 1:
        raise row.problem(column, "must be a number above 0 and at most 1, as in 0.25")
    return float(value)


def with_chances(found: Population, chances: Mapping[str, float]) -> Population:
    """The conversations that have a chance to be drawn.

    Raises:
        UsageProblem: messages are to be drawn and not conversations, or none has a chance.
    """
    if found.unit != "conversation":
        raise UsageProblem("Given probabilities are for whole conversations: use --unit conversation.")
    units = tuple(unit for unit in found.units if unit.chat.id in chances)
    if not units:
        raise UsageProblem("No conversation has a probability: were the probabilities made from other chats?")
    return replace(found, units=units)


def planned(
    found: Population, request: Request, scores: Scores | None, chances: Mapping[str, float] | None = None
) -> Planned:
    """The plan of a request.

    Args:
        scores: of the units of `found`, where the request needs them; else None.
        chances: for given: of all conversations of `found` (`with_chances`).

    Raises:
        UsageProblem: more is to be drawn than there is, or no unit has the field of `by`.
        UnknownName: a code that the codebook lacks or the tagger does not give.
        MissingExtra: vectors of texts without scikit-learn.
    """
    if request.design == "given":
        sizes = np.array([(chances or {})[unit.chat.id] for unit in found.units])
        return Planned(proportional(sizes, request.size, NO_FLOOR))
    if scores is None:
        return Planned(_without_scores(found, request))
    if request.design == "rare-code":
        codes = tuple(Codebook.load()[code].id for code in request.codes) or scores.rare()
        return Planned(proportional(scores.any_of(codes), request.size, request.floor), codes)
    if request.design == "uncertainty":
        return Planned(proportional(scores.entropy(), request.size, request.floor))
    if request.design == "diversity":
        return Planned(_diverse(scores.means(), request))
    return Planned(stratified(scores.likeliest(), request.size, request.minimum))


def _without_scores(found: Population, request: Request) -> Plan:
    if request.design == "stratified":
        return stratified(_fields(found, request.by), request.size, request.minimum)
    if request.design == "diversity":
        texts = ["\n".join(message.text for message in unit.messages) for unit in found.units]
        return _diverse(text_vectors(texts, request.seed), request)
    return simple(len(found.units), request.size)


def _diverse(vectors: Floats, request: Request) -> Plan:
    """As many from each cluster as from any other."""
    groups = clusters(vectors, min(request.clusters, request.size), request.seed)
    return stratified([f"cluster {group + 1}" for group in groups], request.size, equal=True)


def _fields(found: Population, name: str) -> list[str]:
    """[units] the field of each; empty where it has none."""
    fields = [_field(unit, name) for unit in found.units]
    if not any(fields):
        raise UsageProblem(
            f"No conversation and no counselor message has the field {name!r}. Name a field that they have, or "
            f"{LIKELIEST!r} for the tagger's most likely code."
        )
    return fields


def _field(unit: Candidate, name: str) -> str:
    value = unit.chat.extra.get(name)
    if value is None:
        value = unit.messages[0].extra.get(name)
    return "" if value is None else str(value)
