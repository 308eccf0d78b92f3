"""AnnoMI: transcripts of MI demonstrations on video, good and bad, with experts' codes for question, reflection, input.

Four transcripts have ten raters, the others one. A turn's gold is what more than half of its raters see. Where exactly
half see a behavior, its codes are unknown. Where most see it but differ on its kind (open or closed), one of the kinds'
codes is known to apply. Codes that AnnoMI does not label are unknown.

A message's extra has `raters` (how many), and `labels` (what a majority of them settled) on counselor messages or
`client_talk_type` (None where the raters differ) on client messages.

Permission to advise comes from AutoAnnoMI's overlay of a few turns, and counts only where AnnoMI itself sees advice.
Consecutive turns of one speaker, and a few speakers known to be wrong, are left as they are.
Wu et al. 2022, ICASSP, doi 10.1109/ICASSP43922.2022.9746035; Wu et al. 2023, Future Internet 15(3):110.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from mi_coder.codebook import Codebook
from mi_coder.conversation import CLIENT, COUNSELOR, Conversation, Message
from mi_coder.corpora.gold import gold_of
from mi_coder.corpora.majority import majority, settled
from mi_coder.corpora.source import CorpusInfo, Row, group_id, read_rows
from mi_coder.crosswalk import Translation

RATINGS = "annomi_full_subset.csv"
PERMISSIONS = "annomi_advice_permission_overlay.csv"

INFO = CorpusInfo(
    name="annomi",
    title="AnnoMI",
    content="transcripts of MI demonstrations on video, high and low quality",
    license="none stated; research use with citation",
    gold="experts' question, reflection and input (majority of ten raters in four transcripts), through the crosswalk",
    citation="Wu et al. 2022, ICASSP; Wu et al. 2023, Future Internet 15(3):110",
    folder="annomi",
    files=(RATINGS,),
    optional=(PERMISSIONS,),
)

ATTRIBUTES = {
    "question": "question_subtype",
    "reflection": "reflection_subtype",
    "input": "therapist_input_subtype",
}
ABSENT = "n/a"
ROLES = {"therapist": COUNSELOR, "client": CLIENT}
TRANSCRIPT_COLUMNS = ("mi_quality", "topic", "video_title", "video_url")
COLUMNS = (
    "transcript_id",
    *TRANSCRIPT_COLUMNS,
    "utterance_id",
    "interlocutor",
    "timestamp",
    "utterance_text",
    "annotator_id",
    *ATTRIBUTES.values(),
    "client_talk_type",
)
PERMISSION = {"ADP": "with", "ADW": "without"}

Permissions = Mapping[tuple[str, str], str]  # by transcript id and utterance id, for turns with advice


def read(folder: Path) -> Iterator[Conversation]:
    """One conversation per transcript, one message per utterance."""
    book = Codebook.load()
    permissions = _permissions(folder / PERMISSIONS)
    transcripts: dict[str, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in read_rows(folder / RATINGS, COLUMNS):
        row.one_of("interlocutor", ROLES)
        transcripts[row["transcript_id"]][row.count("utterance_id")].append(row)
    for transcript, utterances in transcripts.items():
        in_order = [utterances[turn] for turn in sorted(utterances)]
        yield _conversation(f"annomi-{transcript}", in_order, permissions, book)


def _permissions(path: Path) -> Permissions:
    if not path.is_file():
        return {}
    return {
        (row["transcript_id"], row["utterance_id"]): PERMISSION[row.one_of("advice_subtype", PERMISSION)]
        for row in read_rows(path, ("transcript_id", "utterance_id", "advice_subtype"))
        if row["advice_subtype"]
    }


def _conversation(
    identity: str, utterances: Sequence[Sequence[Row]], permissions: Permissions, book: Codebook
) -> Conversation:
    first = utterances[0][0]
    video = first["video_url"].partition("&")[0]
    return Conversation(
        id=identity,
        messages=[_message(f"{identity}#{index}", rows, permissions, book) for index, rows in enumerate(utterances)],
        extra={
            "corpus": INFO.name,
            "source_group": group_id(INFO.name, video),
            **{column: first[column] for column in TRANSCRIPT_COLUMNS},
        },
    )


def _message(identity: str, ratings: Sequence[Row], permissions: Permissions, book: Codebook) -> Message:
    """One utterance from the rows of all its raters."""
    first = ratings[0]
    message = Message(role=ROLES[first["interlocutor"]], text=first["utterance_text"], id=identity)
    message.extra = {"timestamp": first["timestamp"], "raters": len(ratings)}
    if message.is_counselor:
        open_labels = [_open_labels(ratings, attribute) for attribute in ATTRIBUTES]
        permission = permissions.get((first["transcript_id"], first["utterance_id"]))
        message.gold = gold_of(translate_open(book, open_labels), permission)
        message.extra["labels"] = [label for label in map(settled, open_labels) if label]
    else:
        message.extra["client_talk_type"] = settled(majority([row["client_talk_type"] for row in ratings]))
    return message


def _open_labels(ratings: Sequence[Row], attribute: str) -> list[str | None]:
    """The crosswalk's labels of an attribute that the raters leave open; None stands for its absence."""
    votes = [row[ATTRIBUTES[attribute]] for row in ratings]
    kinds = majority([None if vote == ABSENT else vote for vote in votes])
    return [f"{attribute}: {kind}" if kind else None for kind in sorted(kinds, key=str)]


def translate_open(book: Codebook, open_labels: Sequence[Sequence[str | None]]) -> Translation:
    """What is known of a turn when each of its attributes may have any of some labels (None: no label).

    Known is what holds whichever labels are the right ones. If every choice of labels adds a code to those that always
    apply, one of the added codes is known to apply.
    """
    worlds = [book.translate_labels("annomi", [label for label in world if label]) for world in product(*open_labels)]
    positive = frozenset.intersection(*(world.positive for world in worlds))
    negative = frozenset.intersection(*(world.negative for world in worlds))
    added = [world.positive - positive for world in worlds]
    depths = {world.depth for world in worlds}
    return Translation(
        positive=positive,
        negative=negative,
        unknown=frozenset(book.ids) - positive - negative,
        any_of=(frozenset.union(*added),) if all(added) else (),
        depth=depths.pop() if len(depths) == 1 else None,
        permission=None,
    )
