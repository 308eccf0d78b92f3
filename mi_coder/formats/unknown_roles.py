"""What to say on the screen of role names that the table does not know.

They are names that a file gives to its speakers, so they stay out of rejects files and logs.
"""

from collections.abc import Iterable
from shlex import quote

MOST = 8
"""More different names are hardly roles: another field may have been taken for the role."""
LONGEST = 40


def roles_advice(names: Iterable[str]) -> str:
    """How to say which role each name has; empty without names, or where they are too many or too long for names."""
    found = list(dict.fromkeys(names))
    if not found or len(found) > MOST or any(len(name) > LONGEST or not name.isprintable() for name in found):
        return ""
    options = " ".join(f"--role {quote(f'{name}=ROLE')}" for name in found)
    return (
        f"These names have no known role: {', '.join(found)}. Say which each has, with counselor, client or other for "
        f"ROLE: {options} (in Python roles=RoleTable().extended({{NAME: ROLE}}) of ReadOptions)."
    )
