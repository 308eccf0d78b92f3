"""The designs of two published studies, to be rerun on other data beside the recommended one.

`shah2022`: Shah et al. 2022 (arXiv 2211.05182), Table 6. The paper's: one logit of a rating of 4 or 5 on raw counts of
its 16 codes (all but Other), both classes weighted by the inverse of their frequency, the ages of both sides and the
member's mean past rating held constant, the length of the chat not. Ours: errors clustered as the study says (the paper
has none), t intervals, q values, and 4 as the lowest satisfied rating only unless the outcome says otherwise. Ages and
past rating are columns that only the study knows: it has to name them in `covariates`.

`yang2024`: Yang, Fang et al. 2024 (arXiv 2312.10775), Table 7. The paper's: score after on seven measures per standard
deviation, given the score before, the log of the length and the product of both, with a random effect for the client;
provider's age, chats, training, known providers, tenure and the seeker's sentiment are held constant too, and have to
be named in `covariates`. Ours: the paper does not say how a measure enters, and here it is the number of messages;
length is the counselor's coded messages, where the paper has the turns of both sides; the paper's errors are robust,
which a random intercept's are not, so that a linear model with errors clustered by client stands beside
it. The paper matches rows only for what chatting does at all (Table 4: score after on treatment, score before and their
product): so does the preset where the study has `matching`.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.outcomes.study.spec import BEFORE, Outcome, Study, Techniques

RECOMMENDED = "recommended"
SEVEN_MEASURES = ("GI", "Question", "REF", "AF", "SC", "EA", "PR")
LENGTH = "log_messages"
HELD_CONSTANT: Mapping[str, tuple[str, ...]] = {
    "shah2022": ("the member's age", "the listener's age", "the member's mean rating of earlier chats"),
    "yang2024": (
        "the provider's age",
        "the number of chats (log)",
        "the provider's training modules (log)",
        "the share of chats whose provider is known",
        "the seeker's tenure (log)",
        "the seeker's negative sentiment",
        "the seeker's positive sentiment",
    ),
}
"""What a paper adjusts for and only the study's own columns have."""
_UNMATCHED = (
    "all rows were used, unmatched, as in the paper for techniques (Table 7). For the effect of chatting itself the "
    "paper "
    "matches first (Table 4): add a block `matching` with treated (a column) or technique, and with covariates; the "
    "paper has the seeker's age, earlier chats, tenure, active days and the score before."
)
_MATCHED = (
    "rows named (matched) are those of the block `matching`, as in the paper's Table 4; the seven measures are of all "
    "rows, as in its Table 7."
)


def designs_of(study: Study) -> list[tuple[str, Study]]:
    """The designs that a study asks for, by name: that of its preset, if any, and its own.

    Raises:
        UsageProblem: the preset has no outcome to run on.
    """
    own = (RECOMMENDED if study.preset else "", replace(study, preset=""))
    return [(study.preset, _PRESETS[study.preset](study)), own] if study.preset else [own]


def preset_notes(study: Study) -> tuple[str, ...]:
    """How the preset of a study differs from the paper's design for want of columns or blocks, and what to add."""
    wanted = HELD_CONSTANT.get(study.preset, ())
    named = [covariate.field for covariate in study.adjusted_for if covariate.field != LENGTH]
    said = []
    if wanted and len(named) < len(wanted):
        paper = f"the paper adjusts for {', '.join(wanted[:-1])} and {wanted[-1]}"
        has = f"only {', '.join(named)}" if named else "none of them"
        said.append(
            f"{paper}, but the study names {has} in covariates. Name the columns there, such as covariates: "
            "[column_1, {field: column_2, transform: log1p}]; without them, figures cannot be compared with the "
            "paper's."
        )
    if study.preset == "shah2022" and len(named) < len(study.adjusted_for):
        said.append(f"{LENGTH} is left out: the paper does not adjust for the length of chats.")
    if study.preset == "yang2024":
        said.append(_MATCHED if takes_matching(study) else _UNMATCHED)
    return tuple(said)


def takes_matching(study: Study) -> bool:
    """Whether the preset of a study has a model of matched rows, and the study says how to match."""
    return study.preset == "yang2024" and study.matching is not None


def _shah2022(study: Study) -> Study:
    outcomes = tuple(
        replace(outcome, models=("logit",), balanced=True) for outcome in study.outcomes if outcome.type == "rating"
    )
    codes = tuple(code for code in Codebook.load().subset("shah17") if code != "OT")
    techniques = Techniques(form="count", codes=codes, log_length=False, within_between=False, min_chats=1)
    study = _preset(study, outcomes, "a rating", techniques)
    return replace(study, covariates=tuple(each for each in study.adjusted_for if each.field != LENGTH))


def _yang2024(study: Study) -> Study:
    if not study.data.client:
        raise UsageProblem("preset yang2024 has a random effect for the client: name the column in data.client.")
    outcomes = tuple(
        replace(outcome, models=("ancova", "linear"))
        for outcome in study.outcomes
        if outcome.type in ("symptom", "change")
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
    return replace(study, inference=inference, interactions=((LENGTH, BEFORE),))


def _preset(study: Study, outcomes: tuple[Outcome, ...], wanted: str, techniques: Techniques) -> Study:
    if not outcomes:
        raise UsageProblem(f"preset {study.preset} relates codes to {wanted}, but the study has no such outcome.")
    return replace(study, preset="", outcomes=outcomes, techniques=techniques, interactions=(), response_weights=False)


_PRESETS = {"shah2022": _shah2022, "yang2024": _yang2024}
