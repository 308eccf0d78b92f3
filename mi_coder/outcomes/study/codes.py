"""The codes that a study names: which technique adds up which codes, and that all of them are there."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem, did_you_mean

if TYPE_CHECKING:
    from mi_coder.outcomes.study.spec import Study, Techniques


def check_codes(study: "Study") -> None:
    """Refuse codes that neither the codebook nor `techniques.merge` has.

    Raises:
        UsageProblem: there is one, or as `technique_groups`.
    """
    technique_groups(study.techniques)
    if study.matching and study.matching.technique:
        _known(study.matching.technique, (*Codebook.load().ids, *study.techniques.merge), "matching.technique")


def technique_groups(techniques: "Techniques") -> dict[str, tuple[str, ...]]:
    """The codes of each technique that is asked for, without the reference.

    Raises:
        UsageProblem: a code that the codebook does not have.
    """
    book = Codebook.load()
    for code in (each for codes in (*techniques.merge.values(), techniques.reference) for each in codes):
        _known(code, book.ids)
    merged = [code for codes in techniques.merge.values() for code in codes]
    if twice := sorted({code for code in merged if merged.count(code) > 1}):
        raise UsageProblem(f"techniques.merge: {', '.join(twice)} is there more than once and would count twice.")
    groups: dict[str, tuple[str, ...]] = {code: (code,) for code in book.ids if code not in merged}
    groups |= {name: tuple(codes) for name, codes in techniques.merge.items()}
    for name in techniques.codes:
        _known(name, groups)
    asked = techniques.codes or tuple(groups)
    reference = techniques.reference if techniques.form == "share" else ()
    for name in techniques.codes:
        if clash := sorted(set(groups[name]) & set(reference)):
            raise UsageProblem(
                f"techniques.codes: {name} is in the reference ({', '.join(clash)}), to whose share the others are "
                "compared. Remove it from one of the two."
            )
    return {name: groups[name] for name in asked if not set(groups[name]) & set(reference)}


def _known(name: str, names: Collection[str], key: str = "techniques") -> None:
    if name not in names:
        raise UsageProblem(
            f"{key}: there is no code {name!r}.{did_you_mean(name, names)} There are {', '.join(names)}."
        )
