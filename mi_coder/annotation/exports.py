"""Label Studio's JSON export as codings: who coded what, when, how long it took, and what was suggested.

Only the full export is read. Skipped tasks and emptied annotations are no codings; they are counted by reason, and
drafts (saved and not submitted) by coder.
What Label Studio lets through and the codebook does not (an unknown code, OT beside others, a missing attribute, more
than three codes, none) is a problem with the task, the coder and how to fix it, and the rest is read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mi_coder.codebook import Codebook
from mi_coder.conversation import ALONE, MOST_CODES, Gold


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """One coder's coding of one message.

    Attributes:
        text_hash: of the text that the coder saw.
        coder: the coder's e-mail address, or "user N" where the export does not tell it.
        created, updated: times as Label Studio writes them (ISO 8601, UTC).
        seconds: time the message was open; None where the server does not tell.
        own: codes of the platform's own (see `mi_coder.annotation.overlay`).
        suggestion: shown, hidden or none; "unknown" for a task that was not pushed by `mi-code studio push`.
        suggested, model: what was or would have been suggested, and by which model.
        accepted: a shown suggestion was left as it was.
        planted: the message has known codes (see `mi_coder.annotation.assign`).
    """

    conversation_id: str
    index: int
    text_hash: str
    codes: tuple[str, ...]
    depth: str | None = None
    permission: str | None = None
    reason: str | None = None
    own: tuple[str, ...] = ()
    unsure: bool = False
    comment: str = ""
    coder: str
    created: str = ""
    updated: str = ""
    seconds: float | None = None
    suggestion: str = "unknown"
    suggested: tuple[str, ...] = ()
    model: str = ""
    accepted: bool = False
    planted: bool = False
    project: int = 0
    task: int = 0
    annotation: int = 0

    @property
    def utterance_id(self) -> str:
        """The name of the task."""
        return f"{self.conversation_id}#{self.index}"

    @property
    def confidence(self) -> int:
        """As in files of stand-off codes: 1 where the coder was unsure, else 3."""
        return 1 if self.unsure else 3

    @property
    def gold(self) -> Gold:
        """The complete coding: codes that were not chosen do not apply."""
        codes = frozenset(self.codes)
        others = frozenset(Codebook.load().ids) - codes
        return Gold(codes, others, depth=self.depth, permission=self.permission, reason=self.reason)


@dataclass(frozen=True, slots=True)
class Problem:
    """An annotation that is no coding of this codebook; it names no text.

    Attributes:
        utterance_id: the name of its task; empty where the task has none.
        updated: time of its last change (ISO 8601, UTC).
    """

    task: int
    annotation: int
    coder: str
    reason: str
    utterance_id: str = ""
    updated: str = ""

    def __str__(self) -> str:
        return f"task {self.task}, annotation {self.annotation} by {self.coder}: {self.reason}"


@dataclass(slots=True)
class Export:
    """What an export holds.

    Attributes:
        codings: in the order of the tasks.
        problems: annotations that a person must fix.
        left_out: other annotations by reason (skipped, empty).
        drafts: what is saved and not submitted, by coder.
        tasks: how many tasks it has.
    """

    codings: list[Coded] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    drafts: Counter[str] = field(default_factory=Counter)
    tasks: int = 0


def left_out(exports: Iterable[Export]) -> list[str]:
    """What to say of annotations that are no codings, a line for each reason."""
    exports = list(exports)
    reasons = sum((export.left_out for export in exports), start=Counter[str]())
    drafts = sum((export.drafts for export in exports), start=Counter[str]())
    lines = [f"{count} annotations left out: {reason}" for reason, count in reasons.items()]
    if drafts:
        coders = ", ".join(f"{count} by {coder}" for coder, count in sorted(drafts.items()))
        lines.append(f"{drafts.total()} annotations saved but not submitted ({coders}): ask them to press Submit")
    return lines


def read_export(
    tasks: Iterable[Mapping[str, Any]], users: Mapping[int, str] | None = None, book: Codebook | None = None
) -> Export:
    """The codings of an export.

    Args:
        tasks: entries of the JSON export.
        users: e-mail addresses by user id.
        book: whose codes are valid; the packaged one by default.
    """
    book, users = book or Codebook.load(), users or {}
    export = Export()
    for task in tasks:
        export.tasks += 1
        for annotation in task.get("annotations", ()):
            _add(export, task, annotation, users, book)
        for draft in task.get("drafts") or ():
            if isinstance(draft, dict) and _controls(draft.get("result")):
                export.drafts[_coder(draft.get("user"), users)] += 1
    return export


def _add(
    export: Export, task: Mapping[str, Any], annotation: Mapping[str, Any], users: Mapping[int, str], book: Codebook
) -> None:
    coder = _coder(annotation.get("completed_by"), users)
    if annotation.get("was_cancelled"):
        export.left_out["skipped"] += 1
        return
    chosen = _controls(annotation.get("result"))
    if not chosen:
        export.left_out["empty"] += 1
        return
    data = task.get("data", {})
    codes = tuple(chosen.get("code", ()))
    reason = _missing(data) or _fault(codes, chosen, book)
    if reason:
        name, updated = str(data.get("utterance_id", "")), str(annotation.get("updated_at") or "")
        export.problems.append(Problem(task.get("id", 0), annotation.get("id", 0), coder, reason, name, updated))
        return
    meta = task.get("meta") or {}
    shown = _shown(annotation, meta)
    attributes = {
        name: next(iter(chosen.get(name, ())), None) if _due(name, codes, book) else None for name in book.attributes
    }
    export.codings.append(
        Coded(
            conversation_id=str(data["conversation_id"]),
            index=int(data["index"]),
            text_hash=str(data["text_hash"]),
            codes=codes,
            **attributes,
            own=tuple(chosen.get("own", ())),
            unsure="unsure" in chosen,
            comment=" ".join(chosen.get("comment", ())),
            coder=coder,
            created=str(annotation.get("created_at") or ""),
            updated=str(annotation.get("updated_at") or ""),
            seconds=annotation.get("lead_time"),
            suggestion=shown.arm,
            suggested=shown.codes,
            model=shown.model,
            accepted=shown.arm == "shown" and set(codes) == set(shown.codes),
            planted=bool(meta.get("planted")),
            project=int(task.get("project") or 0),
            task=int(task.get("id") or 0),
            annotation=int(annotation.get("id") or 0),
        )
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the coder was shown: from the annotation, where it grew out of a prediction, else from the task's meta."""

    arm: str
    codes: tuple[str, ...] = ()
    model: str = ""


def _shown(annotation: Mapping[str, Any], meta: Mapping[str, Any]) -> _Shown:
    prediction = annotation.get("prediction")
    if isinstance(prediction, Mapping) and (codes := _controls(prediction.get("result")).get("code")):
        return _Shown("shown", tuple(codes), str(prediction.get("model_version") or ""))
    return _Shown(str(meta.get("suggestion", "unknown")), tuple(meta.get("suggested", ())), str(meta.get("model", "")))


def _controls(result: Any) -> dict[str, list[str]]:
    """What is chosen or written in each control, each value once, in order."""
    found: dict[str, dict[str, None]] = {}
    for entry in result if isinstance(result, list) else ():
        value = entry.get("value") if isinstance(entry, Mapping) else None
        if isinstance(value, Mapping):
            chosen = value.get("choices") or value.get("text") or ()
            values = [chosen] if isinstance(chosen, str) else chosen
            found.setdefault(str(entry.get("from_name")), {}).update(dict.fromkeys(map(str, values)))
    return {name: list(values) for name, values in found.items() if values}


def _missing(data: Mapping[str, Any]) -> str:
    lacking = [name for name in ("conversation_id", "index", "text_hash") if name not in data]
    if not lacking and not str(data["index"]).isdecimal():
        return "the index of the task is not a number; it was not made by `mi-code studio push`, push its chat"
    return (
        f"the task has no {', '.join(lacking)}; it was not made by `mi-code studio push`, push its chat"
        if lacking
        else ""
    )


def _fault(codes: Sequence[str], chosen: Mapping[str, Sequence[str]], book: Codebook) -> str:
    """What the codebook does not allow, with what the coder should do; empty where all is well."""
    unknown = [code for code in codes if code not in book.ids]
    if unknown:
        names = ", ".join(unknown)
        return f"{names} is not a code of the codebook; the schema was changed by hand, see `mi-code studio doctor`"
    if not codes:
        return "no code is chosen; choose at least one"
    if len(codes) > MOST_CODES:
        return f"{len(codes)} codes are chosen; keep the {MOST_CODES} most salient"
    if ALONE in codes and len(codes) > 1:
        return "OT is chosen with other codes; keep only OT, or remove it"
    for name, allowed in book.attributes.items():
        values = chosen.get(name, ())
        if _due(name, codes, book) and not values:
            return f"{name} is not chosen; choose one of {', '.join(allowed)}"
        if any(value not in allowed for value in values):
            return f"{name} has a value that is none of {', '.join(allowed)}"
    return ""


def _due(attribute: str, codes: Sequence[str], book: Codebook) -> bool:
    return any(attribute in book[code].attributes for code in codes)


def _coder(who: Any, users: Mapping[int, str]) -> str:
    """The e-mail address of who coded: the export tells it, or the user, or the user's id."""
    if isinstance(who, Mapping):
        return str(who.get("email") or f"user {who.get('id')}")
    return who if isinstance(who, str) else users.get(who, f"user {who}")
