"""JSON Schemas (draft 2020-12) of one line of a transcript and of a coded file, generated from the codebook."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mi_coder.conversation import ALONE, COUNSELOR, MOST_CODES
from mi_coder.formats.fields import FIELD_ALIASES, OUTPUT_FIELDS

DRAFT = "https://json-schema.org/draft/2020-12/schema"
NOTHING = (None, "")
ID_OF_MESSAGE = {"type": ["string", "integer", "null"]}
Schema = dict[str, Any]


def render_schemas(code_ids: Sequence[str], attributes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The text of every schema file by its name.

    Args:
        code_ids: the ids of the codebook, in its order.
        attributes: the allowed values of depth, permission and reason.
    """
    gold = _gold(code_ids, attributes)
    transcript = _file(
        "transcript.schema.json",
        "One line of a transcript: a conversation with its messages, or one message of a conversation",
        _message({"gold": gold}) | {"propertyNames": {"not": {"enum": list(OUTPUT_FIELDS)}}},
    )
    return {
        schema["$id"]: json.dumps(schema, indent=2) + "\n"
        for schema in (transcript, _coded(gold, _output(code_ids, attributes)))
    }


def _file(name: str, title: str, message: Schema) -> Schema:
    return {
        "$schema": DRAFT,
        "$id": name,
        "title": title,
        "type": "object",
        "if": {"required": ["messages"]},
        "then": {
            "allOf": [_one_of(FIELD_ALIASES["nested_conversation_id"])],
            "properties": {
                "conversation_id": {"$ref": "#/$defs/id"},
                "id": {"$ref": "#/$defs/id"},
                "messages": {"type": "array", "items": {"$ref": "#/$defs/message"}},
            },
        },
        "else": {
            "$ref": "#/$defs/message",
            "required": ["conversation_id"],
            "properties": {"conversation_id": {"$ref": "#/$defs/id"}},
        },
        "$defs": {
            "id": {"type": ["string", "integer"], "minLength": 1, "description": "Whole numbers are read as strings."},
            "message": message,
        },
    }


def _coded(gold: Schema, output: Mapping[str, Schema]) -> Schema:
    """The fields that come from the transcript are not required, since they may have other names."""
    read = "As in transcript.schema.json, or under the name that the run was given with "
    given = {
        "id": ID_OF_MESSAGE,
        "gold": {"anyOf": [gold, {"type": "string", "description": "JSON text, as in tables."}]},
        **{name: {"description": f"{read}--text-field."} for name in FIELD_ALIASES["text"]},
        **{name: {"description": f"{read}--role-field."} for name in FIELD_ALIASES["role"]},
        "conversation_id": {"description": f"{read}--conversation-field."},
    }
    return {
        "$schema": DRAFT,
        "$id": "coded.schema.json",
        "title": "One line of a coded transcript: a transcript line with what tagging adds to counselor messages",
        "type": "object",
        "if": {"required": ["messages"], "properties": {"messages": {"type": "array"}}},
        "then": {"properties": {"messages": {"items": {"$ref": "#/$defs/message"}}}},
        "else": {"$ref": "#/$defs/message"},
        "$defs": {
            "message": {
                "type": "object",
                "properties": given | {name: _or_nothing(schema) for name, schema in output.items()},
                "if": {"properties": {"role": {"const": COUNSELOR}}, "required": ["role"]},
                "then": _has("codes"),
                "allOf": _output_rules(),
            }
        },
    }


def _or_nothing(field: Schema) -> Schema:
    """What the messages of others hold where the columns of a table were there before: null, in CSV an empty cell."""
    return {"anyOf": [{"enum": list(NOTHING)}, field]}


def _one_of(names: Sequence[str]) -> Schema:
    """At least one of the names is there."""
    return {"anyOf": [{"required": [name]} for name in names]}


def _message(more: Mapping[str, Schema]) -> Schema:
    role = {"type": "string", "minLength": 1, "description": "counselor, client, or a name in the table of roles"}
    properties: Schema = {"id": ID_OF_MESSAGE}
    properties |= {name: {"type": "string"} for name in FIELD_ALIASES["text"]}
    properties |= {"role": role, **more}
    return {
        "type": "object",
        "properties": properties,
        "anyOf": [
            {"required": [text, role_name]} for text in FIELD_ALIASES["text"] for role_name in FIELD_ALIASES["role"]
        ],
    }


def _codes(code_ids: Sequence[str]) -> Schema:
    return {"type": "array", "items": {"enum": list(code_ids)}, "uniqueItems": True}


def _gold(code_ids: Sequence[str], attributes: Mapping[str, Sequence[str]]) -> Schema:
    codes = _codes(code_ids)
    details = {name: {"enum": [*attributes[name], None]} for name in ("depth", "permission", "reason")}
    complete = {"codes": codes, **details}
    partial = {"positive": codes, "negative": codes, "any_of": {"type": "array", "items": codes}, **details}
    return {
        "description": "Codes that people gave: all of them, or what is known (the rest is unknown).",
        "anyOf": [
            {"type": "null"},
            {"type": "object", "properties": complete, "required": ["codes"], "additionalProperties": False},
            {"type": "object", "properties": partial, "additionalProperties": False},
        ],
    }


def _output(code_ids: Sequence[str], attributes: Mapping[str, Sequence[str]]) -> Mapping[str, Schema]:
    fields: dict[str, Schema] = {
        "codes": _codes(code_ids) | {"description": "Most likely first."},
        "scores": {
            "type": "object",
            "propertyNames": {"enum": list(code_ids)},
            "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
        },
        "depth": {"enum": list(attributes["depth"])},
        "permission": {"enum": list(attributes["permission"])},
        "review": {"const": True},
        "uncoded": {"enum": ["empty"]},
    }
    place = {"type": "integer", "minimum": 0}
    sentence = {
        "type": "object",
        "properties": {"start": place, "end": place, **fields},
        "required": ["start", "end", "codes"],
        "additionalProperties": False,
        "allOf": _output_rules(),
    }
    possible = _codes(code_ids) | {
        "minItems": 1,
        "description": "With --sets: a prediction set, which contains all correct codes for the share of messages that "
        "was asked for. Most likely first.",
    }
    return fields | {"possible": possible, "sentences": {"type": "array", "items": sentence}}


def _output_rules() -> list[Schema]:
    """What holds between the fields: at most three codes and OT alone, unless the codes are those of sentences."""
    holds = {"properties": {"codes": {"contains": {"const": ALONE}}}, "required": ["codes"]}
    return [
        {
            "if": {"not": _has("sentences")},
            "then": {
                "properties": {"codes": {"maxItems": MOST_CODES}},
                "if": holds,
                "then": {"properties": {"codes": {"maxItems": 1}}},
            },
        },
        _needs("depth", ["REF"]),
        _needs("permission", ["PR", "RC"]),
        _needs("uncoded", None),
        {"if": _has("scores"), "then": _has("codes")},
        {"if": _has("possible"), "then": _has("codes")},
    ]


def _has(field: str) -> Schema:
    """`field` is there and says something."""
    return {"required": [field], "properties": {field: {"not": {"enum": list(NOTHING)}}}}


def _needs(field: str, codes: Sequence[str] | None) -> Schema:
    """`field` stands only beside one of the codes; beside none at all where `codes` is None."""
    beside = {"contains": {"enum": list(codes)}} if codes else {"maxItems": 0}
    return {"if": _has(field), "then": {"required": ["codes"], "properties": {"codes": {"type": "array", **beside}}}}
