"""The designs of two published studies, to be rerun on other data beside the recommended one.

`shah2022`: Shah et al. 2022 (arXiv 2211.05182), Table 6: one logit of a rating of 4 or 5 on raw counts of their codes,
both classes weighted alike. `yang2024`: Yang, Fang et al. 2024 (arXiv 2312.10775), Table 7: score after on seven
measures per standard deviation, given the score before, with a random effect for the client. Where a paper does not
say how a measure enters, as the second, it is the number of messages beside the log of all messages.
"""

from msgspec.structs import replace

from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.study.spec import BEFORE, Outcome, Study, Techniques

RECOMMENDED = "recommended"
SEVEN_MEASURES = ("GI", "Question", "REF", "AF", "SC", "EA", "PR")


def designs_of(study: Study) -> list[tuple[str, Study]]:
    """The designs that a study asks for, by name: that of its preset, if any, and its own.

    Raises:
        UsageProblem: the preset has no outcome to run on.
    """
    own = (RECOMMENDED if study.preset else "", replace(study, preset=""))
    return [(study.preset, _PRESETS[study.preset](study)), own] if study.preset else [own]


def _shah2022(study: Study) -> Study:
    outcomes = tuple(
        replace(outcome, models=("logit",), balanced=True) for outcome in study.outcomes if outcome.type == "rating"
    )
    codes = tuple(code for code in Codebook.load().subset("shah17") if code != "OT")
    return _preset(
        study,
        outcomes,
        "a rating",
        Techniques(form="count", codes=codes, log_length=False, within_between=False, min_chats=1),
    )


def _yang2024(study: Study) -> Study:
    if not study.data.client:
        raise UsageProblem("preset yang2024 has a random effect for the client: name the column in data.client.")
    outcomes = tuple(
        replace(outcome, models=("ancova",)) for outcome in study.outcomes if outcome.type in ("symptom", "change")
    )
    techniques = Techniques(
        form="count",
        codes=SEVEN_MEASURES,
        merge={"Question": ("OQ", "CQ")},
        per="sd",
        within_between=False,
        min_chats=1,
    )
    study = _preset(study, outcomes, "a symptom or change", techniques)
    inference = replace(study.inference, cluster="client")
    return replace(study, inference=inference, interactions=(*study.interactions, ("log_messages", BEFORE)))


def _preset(study: Study, outcomes: tuple[Outcome, ...], wanted: str, techniques: Techniques) -> Study:
    if not outcomes:
        raise UsageProblem(f"preset {study.preset} relates codes to {wanted}, and the study has no such outcome.")
    return replace(study, preset="", outcomes=outcomes, techniques=techniques, response_weights=False)


_PRESETS = {"shah2022": _shah2022, "yang2024": _yang2024}
