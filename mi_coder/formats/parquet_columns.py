"""Which types the columns of a Parquet table need, and values that fit them (see parquet_writing.py)."""

from collections.abc import Iterable
from typing import Any

import msgspec

from mi_coder.formats.fields import OUTPUT_FIELDS, table_columns

_AS_JSON = ("scores", "sentences")

Rows = list[dict[str, Any]]


class Columns:
    """The types that columns need, learned a group of rows after another.

    Attributes:
        names: the columns in the order in which they came up.
        messages: the columns inside `messages`, where that holds lists of objects.
    """

    def __init__(self, arrow: Any) -> None:
        self._arrow = arrow
        self._types: dict[str, Any] = {}
        self._mixed: set[str] = set()
        self._failures = (arrow.ArrowException, TypeError, ValueError, OverflowError)
        self.names: dict[str, None] = {}
        self.messages: Columns | None = None

    def learn(self, rows: Rows) -> None:
        """Take in what `cells` made of some rows."""
        for name in keys_of(rows):
            self.names[name] = None
            values = [row.get(name) for row in rows]
            if name == "messages":
                self._learn_messages(values)
            else:
                self._learn(name, values)

    def _learn_messages(self, values: list[Any]) -> None:
        nested = all(value is None or _is_nested(value) for value in values)
        if nested and "messages" not in self._types and "messages" not in self._mixed:
            self.messages = self.messages or Columns(self._arrow)
            self.messages.learn(messages_in(values))
        elif self.messages:
            self.messages = None
            self._mixed.add("messages")
        else:
            self._learn("messages", values)

    def _learn(self, name: str, values: list[Any]) -> None:
        try:
            kinds = [self._kind(name), self._arrow.array(values).type]
            schemas = [self._arrow.schema([(name, kind)]) for kind in kinds]
            self._types[name] = self._arrow.unify_schemas(schemas, promote_options="permissive").field(name).type
        except self._failures:
            self._mixed.add(name)

    def _kind(self, name: str) -> Any:
        """The type as far as it is known."""
        arrow = self._arrow
        if name in self._types:
            return self._types[name]
        if name in ("codes", "possible"):
            return arrow.list_(arrow.string())
        if name == "review":
            return arrow.bool_()
        return arrow.string() if name in OUTPUT_FIELDS else arrow.null()

    def fields(self, names: Iterable[str] | None = None) -> list[tuple[str, Any]]:
        """Names and types of the columns; `names` are those that the table has, if not just the learned ones."""
        return [(name, self._final(name)) for name in table_columns(self.names if names is None else names)]

    def _final(self, name: str) -> Any:
        arrow = self._arrow
        if name in self._mixed:
            return arrow.string()
        if name == "messages" and self.messages:
            # Parquet has no struct without fields, and all lists may be empty.
            return arrow.list_(arrow.struct(self.messages.fields() or [("text", arrow.string())]))
        kind = self._kind(name)
        return arrow.string() if arrow.types.is_null(kind) else kind

    def fitted(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row whose values have the types of its columns."""
        return {name: self._fitted(name, value) for name, value in row.items()}

    def _fitted(self, name: str, value: Any) -> Any:
        if name in self._mixed:
            return value if value is None or isinstance(value, str) else _json(value)
        if name == "messages" and self.messages and _is_nested(value):
            return [self.messages.fitted(item) for item in value]
        return value


def keys_of(rows: Rows) -> list[str]:
    """Every field of the rows, in the order of their first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def messages_in(values: Iterable[Any]) -> Rows:
    """All messages of all values that are lists of objects."""
    return [message for value in values if _is_nested(value) for message in value]


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def cells(data: dict[str, Any]) -> dict[str, Any]:
    """A record with JSON text in the place of what no column can hold."""
    return {name: _cell(name, value) for name, value in data.items()}


def _cell(name: str, value: Any) -> Any:
    """A value that a column can hold. An empty cell of a CSV table that was tagged before is no value."""
    if name == "messages" and _is_nested(value):
        return [cells(item) for item in value]
    if name in OUTPUT_FIELDS and value == "":
        return None
    nested = isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
    if isinstance(value, dict) or nested or (name in _AS_JSON and not isinstance(value, str | None)):
        return _json(value)
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
