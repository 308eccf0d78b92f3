"""The tagger's errors on validated chats, and what to say where it was trained on these chats."""

from dataclasses import replace
from pathlib import Path

from mi_coder.evaluation.coder import file_coder
from mi_coder.evaluation.compare import has_gold
from mi_coder.evaluation.leak import overlap
from mi_coder.formats import AS_CODED, read_conversations
from mi_coder.formats.on_disk import check_on_disk
from mi_coder.measures.reading import read_chats
from mi_coder.measures.tally import Unit
from mi_coder.measures.validation import TaggerErrors, errors_of

_UNKNOWN = (
    "Which chats the tagger was trained on is not known. If the validated chats are among them, its errors are "
    "underestimated, and the corrections are too small."
)


def checked_errors(validation: str, unit: Unit) -> tuple[TaggerErrors, str]:
    """The tagger's errors on a file of tagged chats with gold codes, and a warning; empty where it saw none of them.

    Where it was trained on some of them the errors carry the warning to all figures that they correct.

    Raises:
        UsageProblem: it is no file on disk, no message has codes of both, or the file was tagged with another codebook.
        MiCoderError: the file cannot be read.
    """
    check_on_disk(validation)
    errors = errors_of(read_chats(validation), read_chats(validation, gold=True), unit)
    model = file_coder(Path(validation), None).config
    if model is None or not model.training_ids:
        return errors, _UNKNOWN
    gold = list(filter(has_gold, read_conversations(validation, AS_CODED)))
    seen = len(overlap(gold, model.training_ids))
    if not seen:
        return errors, ""
    said = f"trained on {seen:,} of the {len(gold):,} validated chats or their groups: its errors are underestimated"
    warning = (
        f"WARNING: the tagger was {said}, and the corrections are too small. Validate with chats that it was not "
        "trained on."
    )
    return replace(errors, doubt=f"the tagger was {said}"), warning
