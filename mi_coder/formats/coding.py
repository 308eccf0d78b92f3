"""Gold codes and codings as they stand in a message on disk."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from mi_coder.codebook import Codebook
from mi_coder.conversation import Coding, Gold, SentenceCoding
from mi_coder.formats.fields import OUTPUT_FIELDS
from mi_coder.formats.rejects import BadRecord

Scores = Literal["chosen", "all", "none"]
_DIGITS = 4

_DETAILS = ("depth", "permission", "reason")
_COMPLETE = {"codes", *_DETAILS}
_PARTIAL = {"positive", "negative", "any_of", *_DETAILS}


def gold_from(value: Any) -> Gold | None:
    """Read the field `gold`, which tables hold as JSON text. Null and the empty string mean no gold.

    {"codes": [...]} is complete: no other code applies. {"positive", "negative", "any_of"} leaves the rest unknown.

    Raises:
        BadRecord: wrong_type, naming the field inside gold.
    """
    value = _from_cell(value, "gold")
    if value is None:
        return None
    if type(value) is not dict or not (value.keys() <= _COMPLETE or value.keys() <= _PARTIAL):
        raise _wrong("gold", 'an object with "codes", or with "positive", "negative" and "any_of"')
    depth, permission, reason = (_value_of(value.get(name), name, "gold.") for name in _DETAILS)
    if "codes" in value:
        positive = _codes(value["codes"], "gold.codes")
        return Gold(positive, frozenset(Codebook.load().ids) - positive, (), depth, permission, reason)
    positive = _codes(value.get("positive"), "gold.positive")
    negative = _codes(value.get("negative"), "gold.negative")
    if positive & negative:
        raise _wrong("gold", "positive and negative codes that do not overlap")
    any_of = tuple(_codes(group, "gold.any_of") for group in _list(value.get("any_of"), "gold.any_of"))
    return Gold(positive, negative, any_of, depth, permission, reason)


def is_complete(gold: Gold) -> bool:
    """Whether it says of each code whether it applies."""
    return len(gold.positive) + len(gold.negative) == len(Codebook.load().ids) and not gold.any_of


def gold_fields(gold: Gold) -> dict[str, Any]:
    """The field `gold` as it is written; codes stand in the order of the codebook."""
    book = Codebook.load()
    details = {name: getattr(gold, name) for name in _DETAILS if getattr(gold, name) is not None}
    if is_complete(gold):
        return {"codes": book.in_order(gold.positive), **details}
    partial = {
        "positive": book.in_order(gold.positive),
        "negative": book.in_order(gold.negative),
        "any_of": [book.in_order(group) for group in gold.any_of],
    }
    return {**{name: codes for name, codes in partial.items() if codes}, **details}


def coding_from(data: Mapping[str, Any]) -> Coding | None:
    """Read the output fields of a tagged message, or None where it was not coded.

    Raises:
        BadRecord: wrong_type, naming the field.
    """
    codes, possible = (_from_cell(data.get(name), name, lambda cell: cell.split(";")) for name in ("codes", "possible"))
    uncoded = data.get("uncoded") or None
    if codes is None and uncoded is None and not data.get("review"):
        return None
    return Coding(
        codes=_code_list(codes, "codes"),
        scores=_scores(_from_cell(data.get("scores"), "scores")),
        depth=_value_of(data.get("depth"), "depth"),
        permission=_value_of(data.get("permission"), "permission"),
        review=_flag(data.get("review")),
        uncoded=_string_or_none(uncoded, "uncoded"),
        sentences=tuple(_sentence(item) for item in _list(_from_cell(data.get("sentences"), "sentences"), "sentences")),
        possible=_code_list(possible, "possible"),
    )


def coding_fields(coding: Coding, scores: Scores = "all") -> dict[str, Any]:
    """The output fields of a coded message, in their order. What does not apply is left out.

    Args:
        scores: which scores are written, to four digits: those of the chosen codes, all, or none.
    """
    shown = {"chosen": coding.codes, "all": tuple(coding.scores), "none": ()}[scores]
    fields = {
        "codes": list(coding.codes),
        "scores": {code: round(coding.scores[code], _DIGITS) for code in shown if code in coding.scores},
        "possible": list(coding.possible),
        "depth": coding.depth,
        "permission": coding.permission,
        "review": coding.review,
        "uncoded": coding.uncoded,
        "sentences": [
            {"start": sentence.start, "end": sentence.end, **coding_fields(sentence.coding, scores)}
            for sentence in coding.sentences
        ],
    }
    return {name: value for name, value in fields.items() if value or name == "codes"}


def write_coding(message: dict[str, Any], coding: Coding, scores: Scores) -> None:
    """Add the fields of a coding to a decoded message; those of an earlier run are replaced."""
    for name in OUTPUT_FIELDS:
        message.pop(name, None)
    message.update(coding_fields(coding, scores))


def _from_cell(value: Any, name: str, decode: Callable[[str], Any] = msgspec.json.decode) -> Any:
    """A value, or what the text of a table's cell stands for."""
    if type(value) is not str:
        return value
    if not value:
        return None
    try:
        return decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _wrong(name, 'JSON, such as {"codes": ["OQ", "SU"]}' if name == "gold" else "JSON") from error


def _list(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if type(value) is not list:
        raise _wrong(name, "a list")
    return value


def _code_list(value: Any, name: str) -> tuple[str, ...]:
    codes = _list(value, name)
    known = Codebook.load().ids
    if not all(type(code) is str and code in known for code in codes):
        raise _wrong(name, f"a list of code ids ({' '.join(known)})")
    if len(set(codes)) < len(codes):
        raise _wrong(name, "a list of different code ids")
    return tuple(codes)


def _codes(value: Any, name: str) -> frozenset[str]:
    return frozenset(_code_list(value, name))


def _value_of(value: Any, attribute: str, within: str = "") -> str | None:
    """The value of an attribute of the codebook; null and the empty string count as none."""
    if value is None or value == "":
        return None
    allowed = Codebook.load().attributes[attribute]
    if type(value) is not str or value not in allowed:
        raise _wrong(within + attribute, f"one of {', '.join(allowed)}")
    return value


def _scores(value: Any) -> dict[str, float]:
    if value is None:
        return {}
    if type(value) is not dict or not all(type(score) in (int, float) and 0 <= score <= 1 for score in value.values()):
        raise _wrong("scores", "an object of probabilities, 0 to 1, by code id")
    _code_list(list(value), "scores")
    return value


def _flag(value: Any) -> bool:
    if value in (None, "", False, "false"):
        return False
    if value in (True, "true"):
        return True
    raise _wrong("review", "true or false")


def _string_or_none(value: Any, name: str) -> str | None:
    if value is not None and type(value) is not str:
        raise _wrong(name, "a string")
    return value


def _sentence(item: Any) -> SentenceCoding:
    if type(item) is not dict or type(item.get("start")) is not int or type(item.get("end")) is not int:
        raise _wrong("sentences", "a list of objects with start, end and codes")
    coding = coding_from(item)
    if coding is None:
        raise _wrong("sentences", "a list of objects with start, end and codes")
    return SentenceCoding(item["start"], item["end"], coding)


def _wrong(name: str, expected: str) -> BadRecord:
    return BadRecord("wrong_type", f"the field {name!r} must be {expected}")
