"""Keys that can be given to choices: single, each once, and none that the editor of Label Studio takes for itself."""

import string
from collections import Counter
from collections.abc import Mapping

from mi_coder.errors import UsageProblem

ALLOWED = frozenset(string.ascii_lowercase + string.digits)

# Of Label Studio 1.23's keymap; its other keys are no single letters or digits, or are pressed with Ctrl or Alt.
EDITORS_OWN = frozenset("u")


def check_hotkeys(keys: Mapping[str, str]) -> None:
    """See that every choice can have its key.

    Args:
        keys: by the name of the choice.

    Raises:
        UsageProblem: names every key that cannot be, and those that are free.
    """
    count = Counter(keys.values())
    faults = [f"{name} has {key!r}, {reason}" for name, key in keys.items() if (reason := _fault(key, count[key]))]
    if faults:
        free = " ".join(sorted(ALLOWED - EDITORS_OWN - set(keys.values())))
        raise UsageProblem(f"Hotkeys: {'; '.join(faults)}. Free keys: {free or 'none'}.")


def _fault(key: str, times: int) -> str:
    if key not in ALLOWED:
        return "which is not a single small letter or digit"
    if key in EDITORS_OWN:
        return "which the editor uses itself"
    return f"which {times} choices have" if times > 1 else ""
