"""One column of a model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """One column of a model.

    Attributes:
        name: unique in the design.
        code: id of the code or the merged codes; empty for a covariate.
        level: within or between counselors, or empty where that is not split.
        unit: of the column, as it is said after "per".
    """

    name: str
    code: str = ""
    level: str = ""
    unit: str = ""

    @property
    def correctable(self) -> bool:
        """Whether gold codes can take the tagger's place: people code too few chats of each counselor for a mean."""
        return self.level != "between"
