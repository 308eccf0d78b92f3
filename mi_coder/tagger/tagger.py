"""The tagger: codes counselor messages in their conversations."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path

import msgspec

from mi_coder.conversation import COUNSELOR, Coding, Conversation, Message, SentenceCoding, model_text
from mi_coder.errors import UnknownName, UsageProblem, did_you_mean
from mi_coder.tagger.config import MAX_CONTEXT, MODEL_FILE, TOKENIZER_FILE, ModelConfig
from mi_coder.tagger.decoding import Decoder, empty
from mi_coder.tagger.encoder import Encoder
from mi_coder.tagger.model import ModelFolder, open_model
from mi_coder.tagger.sentences import Span, Splitter, merge, spacy_splitter
from mi_coder.tagger.window import Tokens, WindowBuilder

UNITS = ("message", "sentence")

# With `unit="sentence"`, a message of no more words than this is coded whole all the same: it seldom holds more than
# one or two acts, and the models are trained on whole messages.
SHORT_WORDS = 40


@dataclass(frozen=True, slots=True)
class Job:
    """One counselor message that waits to be coded.

    Attributes:
        windows: what the encoder reads; none where there is no text.
        spans: of its sentences, one for each window, where it is coded by sentence; none where it is coded whole.
    """

    windows: list[Tokens]
    spans: tuple[Span, ...] = ()

    @property
    def truncated(self) -> bool:
        """Whether a text did not fit into its window and lost its middle."""
        return any(window.truncated for window in self.windows)


class Tagger:
    """Codes counselor messages with one model. Make one with `Tagger.load`.

    Attributes:
        folder, config: the model.
        digests: SHA-256 (hex) by file name of its configuration, weights and tokenizer, which together decide labels.
        choices: what beside the model decides the codes: context, thresholds, unit and sets.
    """

    def __init__(
        self,
        model: ModelFolder,
        threads: int,
        thresholds: Mapping[str, float],
        splitter: Splitter | None,
        sets: float | None = None,
    ) -> None:
        self.folder = model.path
        self.config = config = model.config
        self.digests = model.digests
        self._builder = WindowBuilder.from_file(model.path / TOKENIZER_FILE, config.window)
        self._encoder = Encoder(model.path / MODEL_FILE, threads)
        self._decoder = Decoder(config, thresholds, None if sets is None else _set_cut(config, sets))
        self._splitter = splitter
        self.choices = {
            "context": config.window.context,
            "thresholds": dict(thresholds),
            "unit": "sentence" if splitter else "message",
            "sets": sets,
        }

    @classmethod
    def load(
        cls,
        folder: str | Path | None = None,
        *,
        context: int | None = None,
        threshold: float | Mapping[str, float] | None = None,
        threads: int = 1,
        unit: str = "message",
        sets: float | None = None,
    ) -> "Tagger":
        """Load a model folder, or the bundled model.

        Args:
            folder: made by `mi-code train`; None for the bundled model.
            context: previous messages that are read, at most 100; None for as many as the model was trained with.
            threshold: probability from which a code is given, for all codes or by code id; None for the model's own.
            threads: groups of messages that are coded at the same time. It changes the speed, never a label.
            unit: "message", or "sentence" to code each sentence of long messages (more than 40 words and more than one
                sentence) and give the message the union; shorter ones are coded whole (needs spaCy).
            sets: share of messages for which `Coding.possible` contains all correct codes, such as 0.9; None for
                codings without it. It goes with whole messages and the model's own context, as it was measured.

        Raises:
            BadModel: the folder is incomplete, altered or made for another codebook.
            UsageProblem: an option is out of range.
            MissingExtra: `unit="sentence"` without spaCy.
        """
        model = open_model(None if folder is None else Path(folder))
        if sets is not None:
            _check_sets(model.config, unit, context)
        if unit not in UNITS:
            raise UsageProblem(f"unit is {unit!r}; it can be: {', '.join(UNITS)}.{did_you_mean(unit, UNITS)}")
        if threads < 1:
            raise UsageProblem(f"threads is {threads}; it must be at least 1.")
        if context is not None:
            if not isinstance(context, Integral) or not 0 <= context <= MAX_CONTEXT:
                raise UsageProblem(f"context is {context}; it must be a whole number between 0 and {MAX_CONTEXT}.")
            model = _reading(model, context)
        splitter = spacy_splitter() if unit == "sentence" else None
        return cls(model, threads, _thresholds(model.config, threshold), splitter, sets)

    @property
    def context(self) -> int:
        """How many previous messages are read."""
        return self.config.window.context

    @property
    def reach(self) -> int:
        """How many previous messages have a part in the codes: those that are read, and for permission some before."""
        return self.config.window.reach

    def tag(self, conversation: Conversation) -> Conversation:
        """A copy of the conversation, with messages of its own, whose counselor messages carry a `coding`."""
        return next(self.tag_many([conversation]))

    def tag_many(self, conversations: Iterable[Conversation]) -> Iterator[Conversation]:
        """Copies of the conversations, in order, with messages of their own, as `tag` makes them."""
        for conversation in conversations:
            places = [place for place, message in enumerate(conversation.messages) if message.is_counselor]
            jobs = [self.job(conversation.messages[place].text, conversation.messages[:place]) for place in places]
            messages = [replace(message, extra=dict(message.extra)) for message in conversation.messages]
            for place, coding in zip(places, self.code(jobs), strict=True):
                messages[place].coding = coding
            yield replace(conversation, messages=messages, extra=dict(conversation.extra))

    def job(self, text: str, before: Sequence[Message]) -> Job:
        """Prepare a counselor message `text` that follows the messages `before` (the last `reach` have a part)."""
        if not model_text(text):
            return Job([])
        spans = self._sentences(text)
        if len(spans) < 2:
            return Job([self._builder.build(text, before)])
        asked = self._builder.said(before)
        windows = []
        before = before[max(0, len(before) - self.reach) :]
        for start, end in spans:
            said = Message(COUNSELOR, text[max(0, start - self._builder.context_chars) : start].strip())
            window = self._builder.build(text[start:end], [*before, said] if said.text else before)
            windows.append(replace(window, said=asked))
        return Job(windows, spans)

    def _sentences(self, text: str) -> tuple[Span, ...]:
        """The sentences of a message that is to be coded by sentence, none for any other."""
        if self._splitter is None or len(text.split(maxsplit=SHORT_WORDS)) <= SHORT_WORDS:
            return ()
        return tuple(self._splitter(text))

    def code(self, jobs: Sequence[Job]) -> list[Coding]:
        """The codings of prepared messages, in order."""
        windows = [window for job in jobs for window in job.windows]
        codings = iter(self._decoder.decode(self._encoder.logits(windows)) if windows else ())
        return [_join(job, [next(codings) for _ in job.windows]) for job in jobs]


def _reading(model: ModelFolder, context: int) -> ModelFolder:
    """The model with so many previous messages to read."""
    window = model.config.window.reading(context)
    return replace(model, config=msgspec.structs.replace(model.config, window=window))


def _join(job: Job, codings: list[Coding]) -> Coding:
    if not codings:
        return empty()
    if not job.spans:
        return codings[0]
    return merge([SentenceCoding(start, end, coding) for (start, end), coding in zip(job.spans, codings, strict=True)])


def _check_sets(config: ModelConfig, unit: str, context: int | None) -> None:
    """Raises UsageProblem for messages that are read otherwise than those on which the cuts were measured."""
    own = config.window.context
    if unit != "message" or context not in (None, own):
        raise UsageProblem(
            f"Prediction sets have their nominal coverage only for whole messages with {own} previous ones read, as "
            'they were calibrated. Leave out sets, or use unit "message" and no other context.'
        )


def _set_cut(config: ModelConfig, sets: float) -> float:
    for coverage, cut in config.set_cuts.items():
        if float(coverage) == sets:
            return cut
    raise UsageProblem(
        f"The model {config.name} {config.version} has no prediction sets for a share of {sets:g} of the messages; it "
        f"has them for: {', '.join(config.set_cuts) or 'none'}. Models made by `mi-code train` have them."
    )


def _thresholds(config: ModelConfig, chosen: float | Mapping[str, float] | None) -> dict[str, float]:
    thresholds = config.thresholds
    if chosen is None:
        return thresholds
    wanted = chosen if isinstance(chosen, Mapping) else dict.fromkeys(config.codes, chosen)
    for code, value in wanted.items():
        if code not in thresholds:
            raise UnknownName(
                f"There is no code {code!r}.{did_you_mean(code, thresholds)} The codes are: {', '.join(thresholds)}."
            )
        if not isinstance(value, Real):
            raise UsageProblem(
                f"The threshold of {code} is of the type {type(value).__name__}; it must be a number between 0 and 1. "
                'Thresholds by code id are a dict, as {"OQ": 0.4}; threshold.to_dict() makes one of a pandas Series.'
            )
        if not 0 <= value <= 1:
            raise UsageProblem(f"The threshold of {code} is {value}; it must be between 0 and 1.")
    return {**thresholds, **wanted}
