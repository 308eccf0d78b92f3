"""When a run that wrote all it could is a failure all the same."""

from mi_coder.batch.counts import Counts
from mi_coder.batch.options import MaxErrors
from mi_coder.batch.problems import Rejected, Remedy
from mi_coder.formats import REJECT_CODES

_DAMAGE = ("truncated_file", "corrupt_file")
_REMEDIES = {
    "already_coded": Remedy.RECODE,
    **dict.fromkeys(
        (
            "column_count",
            "invalid_csv",
            "missing_conversation_id",
            "missing_messages",
            "missing_role",
            "missing_text",
            "nul_byte",
            "unparsed_line",
        ),
        Remedy.FORMAT,
    ),
}


def refuse_too_many(counts: Counts, allowed: MaxErrors, done: str) -> None:
    """Look at what was rejected.

    Args:
        done: a sentence on where the records are.

    Raises:
        Rejected: the input breaks off or is damaged, however many bad records are allowed, or there are more of them.
    """
    for code in _DAMAGE:
        if code in counts.rejects:
            raise Rejected(f"The input could not be read to its end ({code}). {REJECT_CODES[code]} {done}")
    if allowed.exceeded(counts.rejected, counts.read):
        code = max(counts.rejects, key=counts.rejects.__getitem__)
        raise Rejected(
            f"{counts.rejected} of {counts.read} records were rejected (allowed: {allowed}). "
            f"Most frequent is {code}, {counts.rejects[code]} times: {REJECT_CODES[code]} {done}",
            _REMEDIES.get(code),
        )
