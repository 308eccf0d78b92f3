"""What a suggestion server answers: the tagger's codes for tasks of `mi-code studio push`.

Only the fields `text` and `before` of a task and its meta are read, never what people coded. A task whose suggestion is
hidden, that is no such task, or whose text cannot be read gets an empty answer.
"""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any
from xml.etree import ElementTree

from mi_coder.annotation.label_config import offered
from mi_coder.annotation.suggestions import prediction
from mi_coder.annotation.tasks import messages_before
from mi_coder.tagger.tagger import Job, Tagger


class Suggester:
    """Suggests codes with one tagger, which can be exchanged while it runs."""

    def __init__(self, tagger: Tagger) -> None:
        self._tagger = tagger
        self._lock = Lock()

    @property
    def version(self) -> str:
        """Name and version of the model."""
        return f"{self._tagger.config.name} {self._tagger.config.version}"

    def exchange(self, tagger: Tagger) -> None:
        """Suggest with another tagger from now on."""
        with self._lock:
            self._tagger = tagger

    def predict(self, tasks: Sequence[Mapping[str, Any]], config: str = "") -> list[dict[str, Any]]:
        """One prediction per task, in order.

        Args:
            config: labeling config of the project; codes that it does not offer are not suggested. Empty for all codes.
        """
        with self._lock:
            tagger, version = self._tagger, self.version
        allowed = _offered(config)
        jobs = {place: job for place, task in enumerate(tasks) if _due(task) and (job := _job(tagger, task["data"]))}
        answers: list[dict[str, Any]] = [{"model_version": version, "score": 0.0, "result": []} for _ in tasks]
        for place, coding in zip(jobs, tagger.code(list(jobs.values())), strict=True):
            codes = [code for code in coding.codes if allowed is None or code in allowed]
            if codes:
                answers[place] = prediction(coding, codes, version)
        return answers


def _due(task: Mapping[str, Any]) -> bool:
    data, meta = (task.get(name) if isinstance(task, Mapping) else None for name in ("data", "meta"))
    hidden = isinstance(meta, Mapping) and meta.get("suggestion") == "hidden"
    return isinstance(data, Mapping) and isinstance(data.get("text"), str) and not hidden


def _job(tagger: Tagger, data: Mapping[str, Any]) -> Job | None:
    """What the tagger reads of a task; None where it cannot, as with half of a surrogate pair."""
    try:
        return tagger.job(data["text"], messages_before(data))
    except (TypeError, ValueError):
        return None


def _offered(config: str) -> frozenset[str] | None:
    try:
        return frozenset(offered(config, "code")) or None if config else None
    except ElementTree.ParseError:
        return None
