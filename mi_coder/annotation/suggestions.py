"""The tagger's codes as suggestions, hidden for a random share so that their pull on coders can be measured.

Which tasks hide them is decided by a hash of the seed and the name of the task, so a second push decides the same. The
task's meta records `suggestion` (shown, hidden or none), and with it what was or would have been suggested: `suggested`
(codes) and `model` (its name, version and the start of its hash).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from mi_coder.annotation.tasks import Task
from mi_coder.conversation import Coding, Conversation

if TYPE_CHECKING:
    from mi_coder.tagger.tagger import Tagger

Arm = Literal["shown", "hidden", "none"]
HIDDEN_SHARE = 0.2


def with_suggestions(
    tasks: Iterable[Task],
    codings: Mapping[str, Coding],
    model: str,
    hidden_share: float = HIDDEN_SHARE,
    silent: Sequence[str] = (),
    seed: int = 1,
) -> Iterator[Task]:
    """The tasks with the codings of their utterances as predictions.

    Args:
        codings: by utterance id; a task without one gets no suggestion.
        model: name and version, as `model_version` of the predictions.
        hidden_share: share of the tasks, by chance, whose suggestion is recorded and not shown.
        silent: codes that are never suggested.
    """
    for task in tasks:
        coding = codings.get(task.utterance_id)
        codes = tuple(code for code in coding.codes if code not in silent) if coding else ()
        if coding is None or not codes:
            yield replace(task, meta={**task.meta, "suggestion": "none"})
            continue
        arm: Arm = "hidden" if chance(task.utterance_id, seed) < hidden_share else "shown"
        meta = {**task.meta, "suggestion": arm, "suggested": list(codes), "model": model}
        if arm == "hidden":
            yield replace(task, meta=meta)
        else:
            told = in_words(coding, codes, model)
            yield replace(task, meta=meta, suggestion=told, predictions=(prediction(coding, codes, model),))


def codings_of(tagger: "Tagger", conversations: Iterable[Conversation]) -> dict[str, Coding]:
    """What a tagger says of the counselor messages, by utterance id."""
    return {
        f"{chat.id}#{index}": message.coding
        for chat in tagger.tag_many(conversations)
        for index, message in enumerate(chat.messages)
        if message.coding
    }


def in_words(coding: Coding, codes: Sequence[str], model: str) -> str:
    """The suggested codes with their probabilities, for the page."""
    return f"{model} suggests " + ", ".join(f"{code} ({min(coding.scores.get(code, 0.0), 0.99):.0%})" for code in codes)


def prediction(coding: Coding, codes: Sequence[str], model: str) -> dict[str, Any]:
    """A coding as a prediction; its score is the probability of the least sure of its codes."""
    score = min((coding.scores.get(code, 0.0) for code in codes), default=0.0)
    return {"model_version": model, "score": round(score, 4), "result": results(codes, coding.depth, coding.permission)}


def results(
    codes: Sequence[str],
    depth: str | None = None,
    permission: str | None = None,
    reason: str | None = None,
    own: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Codes, attributes and own codes as the controls of the schema hold them."""
    attributes = {"depth": depth, "permission": permission, "reason": reason}
    chosen = {"code": list(codes), **{name: [value] for name, value in attributes.items() if value}}
    if own:
        chosen["own"] = list(own)
    return [
        {"id": name, "from_name": name, "to_name": "text", "type": "choices", "value": {"choices": values}}
        for name, values in chosen.items()
    ]


def chance(name: str, seed: int) -> float:
    """A number in [0, 1) that depends on the name and the seed alone."""
    return int.from_bytes(sha256(f"{seed}:{name}".encode()).digest()[:8], "big") / 2**64
