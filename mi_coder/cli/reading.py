"""The options of every command that reads chats, and what they mean to the reader."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal

from mi_coder.cli.options import Choice, Decorator, Size, choice, grouped, section
from mi_coder.errors import UsageProblem, did_you_mean

if TYPE_CHECKING:
    from mi_coder.conversation import Conversation, Role
    from mi_coder.formats import ReadOptions

# As mi_coder.formats.FORMATS, which is not imported for the help alone.
FORMATS = ("jsonl", "csv", "tsv", "parquet", "convokit", "chat-text")

_reading = section("How chats are read")


@dataclass(frozen=True)
class Reading:
    """How to read chats, as the command line says it; the fields are those of ReadOptions."""

    format_name: str | None
    text_field: str | None
    role_field: str | None
    conversation_field: str | None
    roles: tuple[str, ...]
    unknown_role: Literal["reject", "other"]
    duplicates: Literal["reject", "keep"]
    non_contiguous: Literal["reject", "restart"]
    max_line_bytes: int
    max_decompressed: int | None
    csv_guard: bool

    def conversations(self, paths: Iterable[str]) -> "Iterator[Conversation]":
        """The conversations of several files, one after the other, coded or not."""
        from mi_coder.formats import read_conversations

        options = self.options(overwrite=True)
        return chain.from_iterable(read_conversations(path, options) for path in paths)

    def options(self, overwrite: bool = False) -> "ReadOptions":
        """The options of the reader.

        Args:
            overwrite: read records that already carry codes.

        Raises:
            UsageProblem: a role is not written as NAME=ROLE.
        """
        from mi_coder.conversation import RoleTable
        from mi_coder.formats import ReadOptions

        return ReadOptions(
            format=self.format_name,
            text_field=self.text_field,
            role_field=self.role_field,
            conversation_field=self.conversation_field,
            roles=RoleTable().extended(dict(map(_role, self.roles))),
            unknown_role=self.unknown_role,
            duplicates=self.duplicates,
            non_contiguous=self.non_contiguous,
            overwrite=overwrite,
            max_line_bytes=self.max_line_bytes,
            max_decompressed=self.max_decompressed,
            csv_guard=self.csv_guard,
        )


def reading_options() -> Decorator:
    """Give a command the options of the reader; they reach it as `reading`, a Reading."""
    return grouped(
        "reading",
        Reading,
        _reading(
            "--format",
            "format_name",
            type=Choice(FORMATS),
            help="Format of the input. Default: detected from its name and first bytes.",
        ),
        _reading("--text-field", metavar="NAME", help="Field of the text, where it is not 'text' or 'content'."),
        _reading(
            "--role-field", metavar="NAME", help="Field of the role, where it is not 'role', 'speaker' or 'author'."
        ),
        _reading(
            "--conversation-field",
            metavar="NAME",
            help="Field of the conversation id, where it is not 'conversation_id'.",
        ),
        _reading(
            "--role",
            "roles",
            multiple=True,
            metavar="NAME=ROLE",
            help="Further role names; ROLE is counselor, client or other. Repeatable.",
        ),
        choice("--unknown-role", values=["reject", "other"], option=_reading, help="What to do with other role names."),
        choice("--duplicates", values=["reject", "keep"], option=_reading, help="What to do with repeated ids."),
        choice(
            "--non-contiguous",
            values=["reject", "restart"],
            help="What to do with a conversation that continues after another one began.",
            option=_reading,
        ),
        _reading(
            "--max-line-bytes",
            type=Size(),
            default="16MiB",
            show_default=True,
            metavar="SIZE",
            help="Longest line, and longest CSV or chat record.",
        ),
        _reading(
            "--max-decompressed",
            type=Size(),
            metavar="SIZE",
            help="Largest size of a compressed input when decompressed. Default: no limit.",
        ),
        _reading(
            "--csv-guard/--no-csv-guard",
            default=True,
            show_default=True,
            help="In CSV and TSV, write a ' before cells that begin with = + - @, so that spreadsheets do not run "
            "them, and remove it on reading.",
        ),
    )


def _role(pair: str) -> "tuple[str, Role]":
    from mi_coder.conversation import ROLES

    name, separator, role = pair.rpartition("=")
    for known in ROLES:
        if separator and name.strip() and role.strip().casefold() == known:
            return name, known
    raise UsageProblem(
        f"--role {pair!r}: write NAME=ROLE with ROLE one of {', '.join(ROLES)}.{did_you_mean(role, ROLES)}"
    )
