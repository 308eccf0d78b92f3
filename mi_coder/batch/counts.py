"""What a run has counted so far."""

import msgspec

from mi_coder.conversation import Coding
from mi_coder.errors import CountMismatch
from mi_coder.formats import Reject
from mi_coder.tagger.tagger import Job


class Counts(msgspec.Struct):
    """Counts of records (lines of the input) and of counselor messages.

    Attributes:
        read: records read, blank lines aside.
        written, rejected: records by where they went.
        blank: blank lines passed.
        rejects: rejected records by reject code.
        messages: counselor messages in the written records.
        review: of these, how many a person should look at.
        empty: of these, how many have no text.
        truncated: of these, how many were longer than the model's window.
        codes: counselor messages by code.
    """

    read: int = 0
    written: int = 0
    rejected: int = 0
    blank: int = 0
    rejects: dict[str, int] = {}
    messages: int = 0
    review: int = 0
    empty: int = 0
    truncated: int = 0
    codes: dict[str, int] = {}

    def add_reject(self, reject: Reject) -> None:
        """Count a rejected record."""
        self.read += 1
        self.rejected += 1
        self.rejects[reject.code] = self.rejects.get(reject.code, 0) + 1

    def add_record(self) -> None:
        """Count a written record."""
        self.read += 1
        self.written += 1

    def add_coding(self, job: Job, coding: Coding) -> None:
        """Count a counselor message of a written record."""
        self.messages += 1
        self.review += coding.review
        self.empty += coding.uncoded is not None
        self.truncated += job.truncated
        for code in coding.codes:
            self.codes[code] = self.codes.get(code, 0) + 1

    def check(self) -> None:
        """Raises CountMismatch unless every record that was read was written or rejected."""
        if self.read != self.written + self.rejected:
            raise CountMismatch(
                f"{self.read} records were read, but {self.written} written and {self.rejected} rejected. "
                "Do not use the output; tag the file again from its start."
            )
