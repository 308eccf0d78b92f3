"""Counselor messages as Label Studio tasks: one message a task, the messages before it shown above.

A task's data are `conversation_id`, `index`, `utterance_id` (the two joined by "#": the task's stable name), `speaker`,
`text`, `text_hash`, `context_html`, `suggestion` (what is said of suggested codes) and `before` (role and text of the
messages shown above, for a suggestion server). Its meta says what the coder was shown (see
`mi_coder.annotation.suggestions`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from mi_coder.conversation import OTHER, Conversation, Message, RoleTable
from mi_coder.corpora.standoff import text_hash

CONTEXT = 20
"""As many as the bundled model has a use for, so that suggestions are what `mi-code tag` gives."""

Prepare = Callable[[Conversation], Conversation]


@dataclass(frozen=True, slots=True)
class Task:
    """One message to code.

    Attributes:
        before: the messages shown above, oldest first.
        suggestion: what is said of suggested codes beside the message; empty without suggestion.
        meta: goes with the task and comes back with its codings; coders do not see it.
        predictions: suggested or anonymous codings, as Label Studio takes them.
    """

    conversation_id: str
    index: int
    speaker: str
    text: str
    before: tuple[Message, ...] = ()
    suggestion: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    predictions: tuple[dict[str, Any], ...] = ()

    @property
    def utterance_id(self) -> str:
        """The name by which a task is known again."""
        return f"{self.conversation_id}#{self.index}"

    def to_import(self) -> dict[str, Any]:
        """As the import of Label Studio takes it."""
        return {
            "data": {
                "conversation_id": self.conversation_id,
                "index": self.index,
                "utterance_id": self.utterance_id,
                "speaker": self.speaker,
                "text": self.text,
                "text_hash": text_hash(self.text),
                "context_html": context_html(self.before),
                "suggestion": self.suggestion,
                "before": [[message.role, message.text] for message in self.before],
            },
            "meta": self.meta,
            "predictions": list(self.predictions),
        }


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole conversation to read, with a comment and no codes (see `mi_coder.annotation.label_config`)."""

    conversation_id: str
    messages: tuple[Message, ...]

    @property
    def utterance_id(self) -> str:
        """The name by which the task is known again."""
        return self.conversation_id

    def to_import(self) -> dict[str, Any]:
        """As the import of Label Studio takes it."""
        everything = "\n".join(message.text for message in self.messages)
        return {
            "data": {
                "conversation_id": self.conversation_id,
                "utterance_id": self.utterance_id,
                "title": self.conversation_id,
                "text_hash": text_hash(everything),
                "context_html": context_html(self.messages),
            }
        }


def readings(conversations: Iterable[Conversation], prepare: Prepare = lambda one: one) -> Iterator[Reading]:
    """Every conversation that has messages; `prepare` as for `tasks`."""
    for conversation in map(prepare, conversations):
        if conversation.messages:
            yield Reading(conversation.id, tuple(conversation.messages))


def tasks(
    conversations: Iterable[Conversation],
    context: int = CONTEXT,
    only: frozenset[str] | None = None,
    prepare: Prepare = lambda conversation: conversation,
) -> Iterator[Task]:
    """The counselor messages with text, in the order of the conversations.

    Args:
        context: how many messages before are shown.
        only: utterance ids to which the tasks are limited; None for all.
        prepare: what is done to each conversation before its text leaves for the server, such as de-identification. It
            keeps the number and the order of the messages.
    """
    for original in conversations:
        conversation = prepare(original)
        for index, message in enumerate(conversation.messages):
            named = only is None or f"{conversation.id}#{index}" in only
            if message.is_counselor and message.text.strip() and named:
                before = tuple(conversation.messages[max(0, index - context) : index])
                meta = {"suggestion": "none"}
                yield Task(conversation.id, index, message.role, message.text, before, meta=meta)


def messages_before(data: Mapping[str, Any]) -> list[Message]:
    """The messages shown above, from the data of a task."""
    table = RoleTable()
    pairs = data.get("before")
    return [
        Message(table.role(str(pair[0])) or OTHER, str(pair[1]))
        for pair in (pairs if isinstance(pairs, list) else ())
        if isinstance(pair, list) and len(pair) == 2
    ]


def context_html(messages: Sequence[Message]) -> str:
    """The messages as paragraphs led by their role. Everything is escaped: a chat may hold markup."""
    if not messages:
        return '<p class="start">Start of the chat</p>'
    return "".join(
        f'<p class="{escape(message.role)}"><b>{escape(message.role)}</b> {_text(message)}</p>' for message in messages
    )


def _text(message: Message) -> str:
    return escape(message.text.strip()).replace("\n", "<br/>")
