"""Trains a tagger on what a project has been coded with, and takes it only where it is better on codings kept apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from mi_coder.annotation.client import Client
from mi_coder.annotation.exports import Coded, read_export
from mi_coder.annotation.pull import newest
from mi_coder.annotation.suggest import Suggester
from mi_coder.annotation.tasks import messages_before
from mi_coder.conversation import COUNSELOR, Conversation, Message
from mi_coder.corpora.parts import split
from mi_coder.evaluation.report import Options
from mi_coder.evaluation.run import Request, evaluate_files
from mi_coder.formats import write_conversations
from mi_coder.tagger.tagger import Tagger

LEAST_CODINGS = 200


@dataclass(slots=True)
class Retraining:
    """How a project's codings become a tagger.

    Attributes:
        current: folder of the model that suggests now; None for the bundled one.
        folder: where new models go, each into a folder of its own.
        more: further gold files to train on.
        train: makes a model folder from gold files, such as a call of `mi_coder.training.run.train`.
    """

    client: Client
    suggester: Suggester
    current: Path | None
    folder: Path
    more: Sequence[Path]
    train: Callable[[Sequence[Path], Path], None]

    def __call__(self, project: int) -> str:
        """Train, compare on the test part, and exchange the tagger where the new one is better; what came of it."""
        given = newest([read_export(self.client.export(project), self.client.users())]).codings
        codings = [coding for coding in given if not coding.planted]
        if len(codings) < LEAST_CODINGS:
            return f"not retrained: {len(codings)} codings, but at least {LEAST_CODINGS} are needed"
        conversations = as_conversations(self.client, project, codings)
        made = self.folder / datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        with TemporaryDirectory() as temporary:
            gold, kept = Path(temporary) / "gold.jsonl", Path(temporary) / "kept.jsonl"
            write_conversations(iter(conversations), str(gold))
            write_conversations(iter(split(conversations)["test"]), str(kept))
            self.train([gold, *self.more], made)
            new, old = (_macro_f1(kept, model) for model in (made, self.current))
        if not new > old:
            return f"not exchanged: macro-F1 {new:.3f} against {old:.3f} on held-out codings; the new one is {made}"
        self.suggester.exchange(Tagger.load(made))
        self.current = made
        return f"exchanged: macro-F1 {new:.3f} against {old:.3f} on held-out codings; the new one is {made}"


def as_conversations(client: Client, project: int, codings: Sequence[Coded]) -> list[Conversation]:
    """The coded messages with the messages shown above them, each as a short conversation of its own.

    Those of one chat have its id as `source_group`, so that they stay in one part.
    """
    golds = {coding.utterance_id: coding for coding in codings}
    found = []
    for task in client.tasks(project):
        data = task["data"]
        coding = golds.get(str(data.get("utterance_id")))
        if coding is None:
            continue
        said = Message(COUNSELOR, str(data["text"]), gold=coding.gold)
        extra = {"source_group": str(data["conversation_id"]), "corpus": f"project-{project}"}
        found.append(Conversation(str(data["utterance_id"]), [*messages_before(data), said], extra))
    return found


def _macro_f1(gold: Path, model: Path | None) -> float:
    request = Request(gold=gold, model=model, seen="allow", options=Options(min_support=1, samples=1))
    return evaluate_files(request).macro.coder.value
