"""Chats as a table: how often each code was used, by how many messages, and what else is known of a chat.

Files with chats are read one conversation at a time and only counts are kept; no message text enters the table.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mi_coder.codebook import Codebook
from mi_coder.conversation import COUNSELOR, Conversation, Message
from mi_coder.errors import UsageProblem, did_you_mean, install_line
from mi_coder.formats import ReadOptions, read_conversations
from mi_coder.formats.checks import looks_like_an_id
from mi_coder.outcomes.frame_guard import unguarded
from mi_coder.outcomes.study.spec import Data, LabelError

OWN_COLUMNS = ("messages", "log_messages")
"""Columns that the table adds: the counselor's coded messages, and the log of their number."""

Coded = tuple[frozenset[str], ...]
Codes = Callable[[Message], frozenset[str] | None]


@dataclass(frozen=True, slots=True, eq=False)
class Chats:
    """One row per chat. The index of both tables has the ids of the chats, in the same order.

    Attributes:
        counts: [chats, codes] messages that carry each code, by the ids of the codebook.
        frame: [chats, columns] what else the files say of the chat, with `messages` and `log_messages`.
        left_out: how many chats were left out, by reason.
        coded: the codes of each message of the chats that this was asked for.

    Raises:
        UsageProblem: the tables have other chats or another order, an id is there more than once, or a count is
            missing.
    """

    counts: pd.DataFrame
    frame: pd.DataFrame
    left_out: Mapping[str, int]
    coded: Mapping[str, Coded] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.counts.index.equals(self.frame.index):
            raise UsageProblem(
                f"The rows of counts ({len(self.counts)}) and of frame ({len(self.frame)}) must be the same chats in "
                "the same order, but their indexes differ. Give both the ids of the chats as index; then "
                "counts.loc[frame.index] puts counts in the order of frame."
            )
        if not self.frame.index.is_unique:
            twice = int(self.frame.index.duplicated().sum())
            raise UsageProblem(f"{twice} rows of the chats repeat an id of the index. There must be one row per chat.")
        gaps = self.counts.isna().any(axis=1)
        if gaps.any():
            raise UsageProblem(f"Counts are missing in {_rows(gaps)}. Write 0 where a code was not found.")

    def __len__(self) -> int:
        return len(self.frame)


def read_chats(data: Data, folder: str | Path, messages_of: Container[str] = ()) -> Chats:
    """The chats of a study with the tagger's codes and their outcomes.

    Args:
        folder: what relative paths start from.
        messages_of: ids of chats of which the codes of each message are kept too.

    Raises:
        UsageProblem: a file, an id or a code column is missing or doubled, with what to do.
    """
    folder = Path(folder)
    if not (data.chats or data.counts):
        frame = read_table(folder / data.outcomes, data)
        return Chats(pd.DataFrame(0.0, index=frame.index, columns=list(Codebook.load().ids)), frame, {})
    if data.counts:
        chats = _from_table(folder / data.counts, data)
    else:
        chats = _from_files([folder / path for path in data.chats], _tagged, "not all messages were coded", messages_of)
        if not len(chats):
            raise UsageProblem(
                f"No chat of {', '.join(data.chats)} has codes of the tagger. Tag them first:  "
                f"mi-code tag {data.chats[0]}"
            )
    return _joined(chats, folder / data.outcomes, data) if data.outcomes else chats


def read_gold(study: LabelError, data: Data, folder: str | Path) -> Chats:
    """The chats that people coded in full. A chat with codes that are unknown or messages without gold is left out.

    Raises:
        UsageProblem: as `read_chats`; or no chat is coded in full.
    """
    folder = Path(folder)
    if study.counts:
        return _from_table(folder / study.counts, data, Codebook.load().ids)
    paths = [folder / path for path in study.gold]
    gold = _from_files(paths, _gold, "not all messages have full gold codes", _Everything())
    if not len(gold):
        raise UsageProblem(
            f"No chat of {', '.join(study.gold)} has gold codes for all of the counselor's messages: correction needs "
            "chats that people coded in full."
        )
    return gold


def _tagged(message: Message) -> frozenset[str] | None:
    return None if message.coding is None or message.coding.uncoded else frozenset(message.coding.codes)


def _gold(message: Message) -> frozenset[str] | None:
    gold = message.gold
    if gold is None or len(gold.positive) + len(gold.negative) < len(Codebook.load().ids):
        return None
    return gold.positive


class _Everything:
    def __contains__(self, _: object) -> bool:
        return True


def _from_files(paths: Sequence[Path], codes: Codes, reason: str, messages_of: Container[str]) -> Chats:
    """Chats of which `codes` knows all messages that the tagger would code."""
    ids = Codebook.load().ids
    column = {code: i for i, code in enumerate(ids)}
    counts: list[np.ndarray[Any, Any]] = []
    rows: list[dict[str, Any]] = []
    names: dict[str, Path] = {}
    coded: dict[str, Coded] = {}
    left_out = 0
    for path, chat in _conversations(paths):
        if chat.id in names:
            raise UsageProblem(
                f"Chat {chat.id!r} is in {names[chat.id]} and again in {path}: ids must be unique over all files."
            )
        names[chat.id] = path
        given = [codes(message) for message in chat.messages if _codable(message)]
        known = [each for each in given if each is not None]
        if not known or len(known) < len(given):
            left_out += 1
            continue
        row = np.zeros(len(ids))
        for each in known:
            row[[column[code] for code in each if code in column]] += 1
        counts.append(row)
        if chat.id in messages_of:
            coded[chat.id] = tuple(known)
        rows.append({"id": chat.id, "messages": len(known), **dict(_flat(chat.extra))})
    table = pd.DataFrame(np.asarray(counts).reshape(-1, len(ids)), columns=list(ids), index=[row["id"] for row in rows])
    chats = _chats(table, pd.DataFrame(rows, index=table.index), {reason: left_out} if left_out else {})
    return replace(chats, coded=coded)


def _codable(message: Message) -> bool:
    return message.role == COUNSELOR and bool(message.text.strip())


def _conversations(paths: Iterable[Path]) -> Iterator[tuple[Path, Conversation]]:
    for path in paths:
        if not path.is_file():
            raise UsageProblem(f"There is no file {path}. Paths in a study file start from the folder it is in.")
        for chat in read_conversations(path, ReadOptions(overwrite=True)):
            yield path, chat


def _flat(extra: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers, texts and truth values by name; those inside objects by names with dots."""
    for name, value in extra.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is None or isinstance(value, (int, float, str)):
            yield prefix + name, value


def _from_table(path: Path, data: Data, needed: Sequence[str] = ()) -> Chats:
    ids = Codebook.load().ids
    frame = read_table(path, data)
    present = [code for code in ids if code in frame.columns]
    if not present or "messages" not in frame.columns:
        raise UsageProblem(
            f"{path} must have a column `messages` (the counselor's coded messages) and one column per code with the "
            f"number of messages that have it, named {ids[0]}, {ids[1]}, ...; it has {_some(frame.columns)}."
        )
    if without := [code for code in needed if code not in present]:
        raise UsageProblem(
            f"{path} has no column {_some(without)}: gold chats must be coded in full, or shares of the other codes "
            "come out too high. Write 0 where people looked for a code and did not find it."
        )
    messages = _whole_numbers(path, frame["messages"], "Write how many messages of the counselor are coded")
    counts = pd.DataFrame(0.0, index=frame.index, columns=list(ids))
    for code in present:
        counts[code] = _whole_numbers(path, frame[code], "Write 0 where there was none", messages)
    return _chats(counts, frame.drop(columns=present).assign(messages=messages.astype(int)), {})


_WHOLE = (
    "Count each message once for a code that it has; if several people coded a chat, first settle on one coding "
    "(mi-code adjudicate settle). `messages` is how many messages of the counselor are coded."
)


def _whole_numbers(
    path: Path, column: "pd.Series[Any]", mend: str, messages: "pd.Series[float] | float" = np.inf
) -> "pd.Series[float]":
    """Counts [rows] of a file, none above that of `messages` [rows].

    Raises:
        UsageProblem: a cell is empty or no number, with what to write there, or is no such number.
    """
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    limits = "of at least 0" if isinstance(messages, float) else "between 0 and the number of `messages` of the chat"
    empty, wrong = numbers.isna(), (numbers < 0) | (numbers > messages) | (numbers % 1 != 0)
    if empty.any():
        raise UsageProblem(f"{path}: {column.name} is not a number in {_rows(empty)}. {mend}, also in empty cells.")
    if wrong.any():
        told = f"{column.name} is not a whole number {limits} in {_rows(wrong)}: {numbers[wrong].iloc[0]:g}"
        raise UsageProblem(f"{path}: {told}. {_WHOLE}")
    return numbers


def _rows(bad: "pd.Series[bool]") -> str:
    return f"{int(bad.sum())} rows, the first is {bad.index[bad][0]!r}"


def _chats(counts: pd.DataFrame, frame: pd.DataFrame, left_out: Mapping[str, int]) -> Chats:
    if len(frame) or "messages" in frame.columns:
        frame = frame.assign(log_messages=np.log(frame["messages"].astype(float).clip(lower=1)))
    return Chats(counts, frame, left_out)


def read_table(path: str | Path, data: Data) -> pd.DataFrame:
    """A CSV or Parquet table by chat id, as text. The guard against spreadsheet formulas is dropped from CSV.

    Raises:
        UsageProblem: it cannot be read, has no such column, or has an id twice or empty.
    """
    id_column, path = data.id, Path(path)
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else unguarded(_read_csv(path, data))
    except FileNotFoundError:
        raise UsageProblem(f"There is no file {path}. Paths in a study file start from the folder it is in.") from None
    except ImportError:
        raise UsageProblem(f"{path} is Parquet: save it as CSV, or run:  {install_line('parquet')}") from None
    except (ValueError, OSError) as error:
        raise UsageProblem(f"{path} cannot be read as a table: {str(error).strip().rstrip('.')}.") from None
    if id_column not in frame.columns:
        raise UsageProblem(
            f"{path} has no column {id_column!r}.{did_you_mean(id_column, map(str, frame.columns))} It has "
            f"{_some(frame.columns)}. Name the column with the id of the chat in data.id."
        )
    if frame[id_column].isna().any():
        raise UsageProblem(f"{path}: {int(frame[id_column].isna().sum())} rows have no {id_column}.")
    ids = frame[id_column].astype(str)
    if ids.duplicated().any():
        twice = ids[ids.duplicated()]
        first = f", the first is {twice.iloc[0]!r}" if looks_like_an_id(twice.iloc[0]) else ""
        raise UsageProblem(
            f"{path}: {twice.nunique()} ids are there more than once{first}. The table must have one row per chat."
        )
    return frame.drop(columns=id_column).set_axis(pd.Index(ids.to_numpy()))


def _read_csv(path: Path, data: Data) -> pd.DataFrame:
    """Columns of numbers as numbers, labels as text: 007 and 7 are two counselors.

    A column that the study names elsewhere, such as a cluster, is text too where a number in it starts with a 0.
    """
    read = partial(pd.read_csv, path, sep="\t" if path.suffix == ".tsv" else ",")
    labels = dict.fromkeys((data.id, data.counselor, data.client), str)
    frame, texts = read(dtype=labels, low_memory=False), read(dtype=str)
    padded = [name for name in frame.select_dtypes("number") if texts[name].str.match(r"0\d", na=False).any()]
    return frame.assign(**texts[padded])


def _joined(chats: Chats, path: Path, data: Data) -> Chats:
    table = read_table(path, data)
    twice = [name for name in table.columns if name in chats.frame.columns or name in OWN_COLUMNS]
    if twice:
        raise UsageProblem(f"{path}: the chats already have {_some(twice)}. Rename these columns or leave them out.")
    known = chats.frame.index.isin(table.index)
    if not known.any():
        raise UsageProblem(f"No id in {path} is the id of a chat: is {data.id!r} the right column (data.id)?")
    left_out = dict(chats.left_out)
    if not known.all():
        left_out[f"no row in {path.name}"] = int((~known).sum())
    frame = chats.frame.loc[known]
    return replace(chats, counts=chats.counts.loc[known], frame=frame.join(table), left_out=left_out)


def _some(names: Iterable[Any], most: int = 8) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
