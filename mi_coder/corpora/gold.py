"""From a corpus's own labels to gold codes."""

from mi_coder.conversation import Gold
from mi_coder.crosswalk import Translation


def gold_of(translation: Translation, permission: str | None = None) -> Gold | None:
    """The codes a label tells of, or None where it tells nothing. `permission` overrides the label's on PR and RC."""
    if not (translation.positive or translation.negative or translation.any_of):
        return None
    persuades = bool(translation.positive & {"PR", "RC"})
    return Gold(
        positive=translation.positive,
        negative=translation.negative,
        any_of=translation.any_of,
        depth=translation.depth,
        permission=(permission if persuades else None) or translation.permission,
    )
