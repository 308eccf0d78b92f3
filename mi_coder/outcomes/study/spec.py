"""The study file: what is related to what, by which models, with which correction.

`study.yaml` is read strictly: an unknown key is refused with the key it may stand for, so that a typing error never
changes a result. Its JSON Schema, schemas/study.schema.json, is generated from the classes here.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from mi_coder.errors import UnknownName, UsageProblem, need
from mi_coder.outcomes.study.codes import check_codes
from mi_coder.outcomes.study.known_keys import refuse_unknown
from mi_coder.outcomes.symptoms import scale_named

if TYPE_CHECKING:
    from mi_coder.outcomes.study.chats import Chats
    from mi_coder.outcomes.study.result import Result

Form = Literal["share", "count", "presence"]
Model = Literal["ordinal", "ordinal_random", "logit", "linear", "ancova", "change", "gee", "poisson", "crossed"]
BEFORE = "before"
"""What interactions call the score before, whatever its column is called."""
STARS = (1.0, 2.0, 3.0, 4.0, 5.0)
SATISFIED = 4.0
"""Where the binary model cuts a rating by default: made for stars."""
Text = Annotated[str, Meta(min_length=1)]
Share = Annotated[float, Meta(gt=0, lt=1)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Refuses what it does not know."""


class Data(_Strict, frozen=True, kw_only=True, dict=True):
    """Where the chats and their outcomes are; paths are relative to the study file."""

    chats: Annotated[tuple[Text, ...], Meta(description="Files that `mi-code tag` wrote.")] = ()
    counts: Annotated[
        str, Meta(description="Instead of chats: a CSV or Parquet table, one row per chat, with a column per code.")
    ] = ""
    outcomes: Annotated[
        str, Meta(description="A CSV or Parquet table with further columns per chat, joined by `id`.")
    ] = ""
    id: Annotated[Text, Meta(description="Column with the id of the chat.")] = "conversation_id"
    counselor: Annotated[str, Meta(description="Column with the counselor.")] = "counselor_id"
    client: Annotated[str, Meta(description="Column with the client, if there is one.")] = ""

    @property
    def folder(self) -> Path:
        """What the paths of the study start from: the folder of its file, else the one that the program runs in.

        It is no key of the file and not in the digest: a study means the same wherever it is.
        """
        return self.file.parent if self.file else Path()

    @property
    def file(self) -> Path | None:
        """The file that the study was read from, if any; no key of it either."""
        return self.__dict__.get("file")


class Techniques(_Strict, frozen=True, kw_only=True):
    """How the use of codes becomes columns."""

    form: Annotated[
        Form,
        Meta(
            description="share: percent of all codes given, in steps of 10 points, against the reference; count: "
            "number of messages, with the log of the chat's length as a covariate; presence: used at all."
        ),
    ] = "share"
    codes: Annotated[tuple[Text, ...], Meta(description="Codes or merged codes; empty for all.")] = ()
    merge: Annotated[Mapping[str, tuple[Text, ...]], Meta(description="Codes that count as one, by a new name.")] = (
        msgspec.field(default_factory=dict)
    )
    reference: Annotated[
        tuple[Text, ...], Meta(description="Codes whose share falls where that of another code rises.")
    ] = ("OT", "CC")
    per: Annotated[
        Literal["unit", "sd"], Meta(description="Effects per unit (10 points, a message) or per standard deviation.")
    ] = "unit"
    log_length: Annotated[
        bool, Meta(description="With counts: the log of the counselor's messages as a covariate.")
    ] = True
    within_between: Annotated[
        bool, Meta(description="Split every column into the counselor's mean and the deviation from it.")
    ] = True
    min_chats: Annotated[int, Meta(ge=1, description="Codes used in fewer chats are left out and named.")] = 30


class Covariate(_Strict, frozen=True, kw_only=True):
    """A column to adjust for."""

    field: Text
    transform: Literal["none", "log", "log1p", "standardize", "category"] = "none"


class Outcome(_Strict, frozen=True, kw_only=True):
    """One outcome and its models. The first model is the headline."""

    name: Text
    type: Annotated[
        Literal["rating", "binary", "symptom", "change", "count"],
        Meta(
            description="rating: ordered levels; binary: 0 and 1; symptom: PHQ or GAD before and after; change: any "
            "number before and after; count: whole numbers."
        ),
    ]
    field: Annotated[str, Meta(description="Column of a rating, binary or count; the name if empty.")] = ""
    levels: Annotated[tuple[float, ...], Meta(description="Levels of the rating; empty for those that occur.")] = ()
    satisfied: Annotated[float, Meta(description="Ratings of this value or more are the 1 of the binary model.")] = (
        SATISFIED
    )
    scale: Annotated[str, Meta(description="PHQ-2, PHQ-4, PHQ-9, GAD-2 or GAD-7, for a symptom.")] = ""
    before: Annotated[
        str | tuple[Text, ...],
        Meta(
            description="Column with the score before the chat. For a symptom also a list: its items, in the order of "
            "the scale."
        ),
    ] = ""
    after: Annotated[str | tuple[Text, ...], Meta(description="Column or items with the score after the chat.")] = ""
    prorate: Annotated[
        bool | msgspec.UnsetType,
        Meta(
            description="Replace up to 2 missing items of the PHQ-9 or 1 of the GAD-7 by the mean of the others; "
            "otherwise a chat that misses an item has no score."
        ),
    ] = msgspec.UNSET
    reliable_change: Annotated[
        Annotated[float, Meta(gt=0)] | msgspec.UnsetType,
        Meta(
            description="Points from which a change of the symptom is reliable: 1.96 sd sqrt(2 (1 - reliability)) of "
            "your population. Default: 6 for the PHQ-9 and 4 for the GAD-7; the others have no classes of change."
        ),
    ] = msgspec.UNSET
    cutoff: Annotated[
        Annotated[int, Meta(gt=0)] | msgspec.UnsetType,
        Meta(description="Lowest score of a case, for recovery. Default: the usual one of the scale."),
    ] = msgspec.UNSET
    models: Annotated[tuple[Model, ...], Meta(description="Empty for those that suit the type.")] = ()
    balanced: Annotated[bool, Meta(description="Weight both classes of the binary model equally.")] = False

    def __post_init__(self) -> None:
        # Unset, the key is not in the digest: studies from before it keep theirs, and `false` says nothing else.
        if self.prorate is False:
            msgspec.structs.force_setattr(self, "prorate", msgspec.UNSET)

    @property
    def fields(self) -> tuple[str, ...]:
        """What the values are called: by their column, or "NAME before" and "NAME after" where they are of items."""
        if self.type not in ("symptom", "change"):
            return (self.field or self.name,)
        return tuple(
            given if isinstance(given, str) else f"{self.name} {side}"
            for side, given in (("before", self.before), ("after", self.after))
        )


class Inference(_Strict, frozen=True, kw_only=True):
    """Standard errors, intervals and the family over which tests are adjusted."""

    cluster: Annotated[
        str,
        Meta(
            description="Column of the clusters, whose rows are not independent: counselor, client or a column of the "
            "data."
        ),
    ] = "counselor"
    alpha: Annotated[Share, Meta(description="Intervals have the level 1 - alpha.")] = 0.05
    adjust: Annotated[Literal["bh", "by", "none"], Meta(description="Benjamini-Hochberg or Benjamini-Yekutieli.")] = (
        "bh"
    )
    family: Annotated[
        Literal["outcome", "study"],
        Meta(description="Tests adjusted together: those of one outcome, or all of the study."),
    ] = "outcome"
    draws: Annotated[int, Meta(ge=99, description="Draws of the wild bootstrap, used if there are few clusters.")] = 999


class LabelError(_Strict, frozen=True, kw_only=True):
    """The tagger's errors: gold codes of a random part of the chats correct for them."""

    correction: Annotated[
        Literal["auto", "ptd", "none"], Meta(description="auto: predict-then-debias if gold is given.")
    ] = "auto"
    gold: Annotated[
        tuple[Text, ...], Meta(description="Files with complete gold codes of some of the chats, with the same ids.")
    ] = ()
    counts: Annotated[str, Meta(description="Instead of gold: a table like data.counts.")] = ""
    sampling: Annotated[
        Literal["random", "weights", "convenience"], Meta(description="How the gold chats were chosen.")
    ] = "random"
    model: Annotated[
        str, Meta(description="Folder of the model that tagged, to see whether it learned from the gold chats.")
    ] = ""
    probability: Annotated[
        str, Meta(description="With weights: column with the probability that a chat was chosen.")
    ] = ""


class ByExperience(_Strict, frozen=True, kw_only=True):
    """Technique use against counselors' experience."""

    time: Annotated[
        str, Meta(description="Column with the date or time of the chat; experience is the number of earlier chats.")
    ] = ""
    field: Annotated[str, Meta(description="Column with the experience, at least 0, instead of earlier chats.")] = ""
    min_chats: Annotated[int, Meta(ge=1, description="Counselors with fewer chats are left out and counted.")] = 1
    min_months: Annotated[
        float,
        Meta(ge=0, description="Counselors with fewer months between first and last chat are left out and counted."),
    ] = 0.0


class Matching(_Strict, frozen=True, kw_only=True):
    """A matched comparison of chats with high and low use of one technique, or of any treated and untreated rows."""

    technique: Annotated[str, Meta(description="Code or merged codes; chats with high use are the treated rows.")] = ""
    high: Annotated[
        Literal["any", "median"], Meta(description="High use: any at all, or above the median. Set it before looking.")
    ] = "any"
    treated: Annotated[str, Meta(description="Instead of a technique: column with 1 for treated rows, else 0.")] = ""
    covariates: Annotated[
        tuple[Covariate | str, ...], Meta(min_length=1, description="What was known before the chat.")
    ]
    caliper: Annotated[
        float, Meta(gt=0, description="Largest distance within a pair, in standard deviations of the logit.")
    ] = 0.2
    within: Annotated[str, Meta(description="Column: pairs only among rows with the same value.")] = ""
    placebo: Annotated[str, Meta(description="Column that the treatment cannot have changed.")] = ""


class Study(_Strict, frozen=True, kw_only=True):
    """A study file. Run it with `mi-code relate study.yaml -o out/`."""

    data: Data
    outcomes: Annotated[tuple[Outcome, ...], Meta(min_length=1)]
    version: Literal[1] = 1
    preset: Annotated[
        Literal["", "shah2022", "yang2024"],
        Meta(description="The design of a published study, run beside the recommended one."),
    ] = ""
    techniques: Techniques = Techniques()
    covariates: tuple[Covariate | str, ...] = ()
    inference: Inference = Inference()
    label_error: LabelError = LabelError()
    matching: Annotated[Matching | None, Meta(description="For `mi-code match`.")] = None
    experience: Annotated[ByExperience | None, Meta(description="For `mi-code experience`.")] = None
    interactions: Annotated[
        tuple[tuple[Text, Text], ...],
        Meta(description="Pairs of columns whose product is a covariate, too; `before` is the score before."),
    ] = ()
    response_weights: Annotated[
        bool, Meta(description="Weight chats with an outcome by the inverse of their probability of having one.")
    ] = True
    seed: int = 1

    def fit(
        self, folder: str | Path | None = None, chats: "Chats | None" = None, gold: "Chats | None" = None
    ) -> "Result":
        """Fit the study; `mi_coder.outcomes.study.run.run_study` says what can go wrong.

        Args:
            folder: what the paths in the study start from; by default the folder of its file.
            chats: in place of the files that the study names.
            gold: in place of the files with gold codes.
        """
        from mi_coder.outcomes.study.run import run_study

        return run_study(self, folder, chats, gold)

    @property
    def digest(self) -> str:
        """Hash of the resolved study: the same for files that mean the same."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]

    def to_yaml(self) -> str:
        """The resolved study, defaults and all."""
        yaml = need("yaml", extra="analysis")
        return str(yaml.safe_dump(msgspec.to_builtins(self), sort_keys=False, allow_unicode=True))

    @property
    def adjusted_for(self) -> tuple[Covariate, ...]:
        """The covariates, plain names spelled out."""
        return spelled_out(self.covariates)


def spelled_out(covariates: Sequence[Covariate | str]) -> tuple[Covariate, ...]:
    """Covariates, plain names as those without a transform."""
    return tuple(Covariate(field=each) if isinstance(each, str) else each for each in covariates)


def read_study(path: str | Path) -> Study:
    """Read and check a study file (YAML or JSON). Its paths start from its folder, wherever the program runs.

    Raises:
        UsageProblem: it cannot be read, a key or code is unknown or missing, or a value does not fit.
        MissingExtra: the extra `analysis` is not installed.
    """
    yaml, path = need("yaml", extra="analysis"), Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = msgspec.json.decode(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageProblem(f"{path} cannot be read: {reason}.") from None
    except msgspec.DecodeError as error:
        raise UsageProblem(f"{path} is not JSON: {error}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark else ""
        raise UsageProblem(f"{path}{place} is not YAML: {getattr(error, 'problem', None) or 'malformed'}.") from None
    study = study_of(content, str(path))
    study.data.__dict__["file"] = path.absolute()
    return study


def study_of(content: object, source: str = "study") -> Study:
    """The study that plain values say.

    Args:
        source: how messages name it.

    Raises:
        UsageProblem: a key or code is unknown or missing, or a value does not fit.
    """
    if not isinstance(content, dict):
        raise UsageProblem(f"{source} must have keys such as data, outcomes and techniques.")
    refuse_unknown(content, Study, source)
    try:
        study = msgspec.convert(content, Study)
    except msgspec.ValidationError as error:
        raise UsageProblem(f"{source}: {error}. The keys are described in schemas/study.schema.json.") from None
    _check(study, source)
    return study


def study_schema() -> str:
    """The JSON Schema of a study file, as text."""
    schema = msgspec.json.schema(Study)
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "study.schema.json"}
    return msgspec.json.format(msgspec.json.encode({**draft, **schema}, order="sorted"), indent=2).decode() + "\n"


def _check(study: Study, source: str) -> None:
    """What no single key tells."""
    data, gold = study.data, study.label_error
    if (data.chats and data.counts) or not (data.chats or data.counts or data.outcomes):
        raise UsageProblem(f"{source}: give data.chats (files that mi-code tag wrote) or data.counts (a table).")
    if study.experience and not (study.experience.time or study.experience.field):
        raise UsageProblem(f"{source}: give experience.time (when a chat was) or experience.field (a column).")
    if study.matching and bool(study.matching.technique) == bool(study.matching.treated):
        raise UsageProblem(f"{source}: give matching.technique (a code) or matching.treated (a column), not both.")
    if gold.gold and gold.counts:
        raise UsageProblem(f"{source}: give label_error.gold or label_error.counts, not both.")
    if gold.correction == "ptd" and not (gold.gold or gold.counts):
        raise UsageProblem(
            f"{source}: label_error.correction ptd needs gold codes of some chats: give label_error.gold."
        )
    if (gold.sampling == "weights") != bool(gold.probability):
        raise UsageProblem(f"{source}: label_error.sampling weights and label_error.probability go together.")
    if study.inference.cluster == "client" and not data.client:
        raise UsageProblem(f"{source}: inference.cluster is client: name the column of clients in data.client.")
    try:
        check_codes(study)
    except UsageProblem as problem:
        raise UsageProblem(f"{source}: {problem}") from None
    names = [outcome.name for outcome in study.outcomes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageProblem(f"{source}: outcomes named twice: {', '.join(twice)}.")
    for i, outcome in enumerate(study.outcomes):
        _check_outcome(outcome, data, f"{source}: outcomes[{i}] ({outcome.name})")


def _check_outcome(outcome: Outcome, data: Data, place: str) -> None:
    """What no single key of an outcome tells."""
    if outcome.type in ("symptom", "change") and not (outcome.before and outcome.after):
        raise UsageProblem(f"{place}: a {outcome.type} needs the columns before and after.")
    if (outcome.type == "symptom") != bool(outcome.scale):
        raise UsageProblem(f"{place}: a symptom needs a scale such as PHQ-9, and only a symptom has one.")
    _check_items(outcome, place)
    allowed = (*MODELS[outcome.type], *ON_REQUEST.get(outcome.type, ()))
    unfit = [model for model in outcome.models if model not in allowed]
    if unfit:
        raise UsageProblem(f"{place}: {unfit[0]} is not a model of a {outcome.type}. There are {', '.join(allowed)}.")
    if "crossed" in outcome.models and not (data.counselor and data.client):
        raise UsageProblem(
            f"{place}: crossed has a random intercept for every counselor and one for every client: name their "
            "columns in data.counselor and data.client. If clients are not known, leave crossed out."
        )


def _check_items(outcome: Outcome, place: str) -> None:
    """Lists of columns: of a symptom, as many as its scale has items, and each column once."""
    sides = {"before": outcome.before, "after": outcome.after}
    items = {side: given for side, given in sides.items() if not isinstance(given, str)}
    if outcome.type != "symptom":
        if items:
            raise UsageProblem(
                f"{place}: {' and '.join(items)} must be one column: only a symptom is scored from a list of items."
            )
        if outcome.prorate:
            raise UsageProblem(f"{place}: prorate replaces missing items of a symptom, and this is not a symptom.")
        if (outcome.reliable_change, outcome.cutoff) != (msgspec.UNSET, msgspec.UNSET):
            raise UsageProblem(f"{place}: reliable_change and cutoff are for a symptom, and this is not a symptom.")
        return
    try:
        scale = scale_named(outcome.scale)
    except UnknownName as problem:
        raise UsageProblem(f"{place}: {problem}") from None
    for key in ("reliable_change", "cutoff"):
        points = getattr(outcome, key)
        if points is not msgspec.UNSET and points > scale.highest:
            raise UsageProblem(f"{place}: {key} is {points:g}, but the {scale.name} goes from 0 to {scale.highest}.")
    for side, columns in items.items():
        if len(columns) != scale.items:
            raise UsageProblem(
                f"{place}: {side} lists {len(columns)} columns, but the {scale.name} has {scale.items} items. List "
                "all, in the order of the questionnaire, or name one column with the total."
            )
    named = [name for given in sides.values() for name in ([given] if isinstance(given, str) else given)]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise UsageProblem(f"{place}: before and after name {', '.join(twice)} more than once.")
    if outcome.prorate and not (items and scale.may_miss):
        raise UsageProblem(
            f"{place}: prorate replaces missing items, so it needs lists of items in before or after."
            if scale.may_miss
            else f"{place}: the {scale.name} is too short to prorate: a chat that misses an item has no score."
        )


MODELS: Mapping[str, Sequence[Model]] = {
    "rating": ("ordinal", "ordinal_random", "logit", "linear"),
    "binary": ("logit", "gee"),
    "symptom": ("ancova", "linear", "gee", "change"),
    "change": ("ancova", "linear", "gee", "change"),
    "count": ("poisson",),
}
"""The models of each type of outcome, the headline first."""
ON_REQUEST: Mapping[str, Sequence[Model]] = {type: ("crossed",) for type in ("rating", "symptom", "change")}
"""Further models of it, fitted only where a study asks for them."""
STANDS_IN: Mapping[Model, Model] = {"ancova": "linear", "ordinal_random": "ordinal"}
"""What is fitted in place of a model with a random effect whose variance is estimated as 0."""
ONE_SLOPE: Sequence[Model] = ("ancova", "ordinal_random", "crossed")
"""Models whose intervals assume that slopes are the same in all clusters: random intercepts and no random slopes."""


def models_of(outcome: Outcome) -> Sequence[Model]:
    """Those asked for, else all that suit the type."""
    return outcome.models or MODELS[outcome.type]
