"""Messages: the roles that they may have."""

from dataclasses import replace
from typing import Any

import pytest

from mi_coder.conversation import ROLES, Message, RoleTable
from mi_coder.errors import UnknownName

THREE = "a message has one of counselor, client, other."
HELP = "RoleTable().role(name) gives the role of a platform's own name, and RoleTable.extended adds names."


@pytest.mark.parametrize("role", ROLES)
def test_a_message_has_one_of_three_roles(role: Any) -> None:
    assert Message(role, "x").role == role


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ("listener", f"There is no role 'listener'; {THREE} RoleTable().role('listener') gives 'counselor'."),
        ("Counselor ", f"There is no role 'Counselor '; {THREE} RoleTable().role('Counselor ') gives 'counselor'."),
        ("Seeker", f"There is no role 'Seeker'; {THREE} RoleTable().role('Seeker') gives 'client'."),
        ("counselr", f"There is no role 'counselr'; {THREE} Did you mean 'counselor'? {HELP}"),
        ("bot1", f"There is no role 'bot1'; {THREE} {HELP}"),
        ("I told her all of it.", f"There is no such role; {THREE} {HELP}"),
        ("", f"There is no such role; {THREE} {HELP}"),
        (None, "The role of a message is one of counselor, client, other; here it is of the type NoneType."),
        (float("nan"), "The role of a message is one of counselor, client, other; here it is of the type float."),
        (["client"], "The role of a message is one of counselor, client, other; here it is of the type list."),
    ],
)
def test_another_role_is_refused_with_what_it_stands_for(role: Any, said: str) -> None:
    with pytest.raises(UnknownName) as refused:
        Message(role, "x")
    assert str(refused.value) == said
    with pytest.raises(UnknownName):
        replace(Message("client", "x"), role=role)


def test_a_table_gives_the_role_of_a_name() -> None:
    table = RoleTable().extended({"bot1": "other"})
    assert [Message(table.role(name), "x").role for name in (" Listener", "bot1")] == ["counselor", "other"]  # type: ignore[arg-type]
