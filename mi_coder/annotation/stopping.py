"""Whether to go on coding: how well agreement is known, what more codings are worth, and the rates so far."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mi_coder.annotation.agreement import FEW, FEW_CONVERSATIONS, SETS, TENTATIVE, Agreement, agreements, split
from mi_coder.annotation.codings import Unit, earlier_rounds, several_coders
from mi_coder.annotation.learning import SHARES, Curve
from mi_coder.annotation.population import Place
from mi_coder.annotation.sample_file import Drawn
from mi_coder.annotation.weighted import weighted_rates
from mi_coder.codebook import Codebook
from mi_coder.conversation import Gold
from mi_coder.evaluation.report import Figure

WORTH = 0.005
WIDE = 0.1
SAMPLES = 500


@dataclass(frozen=True, slots=True)
class AlphaPoint:
    """Agreement when only some of the conversations are looked at.

    Attributes:
        messages: those coded at least twice.
        alpha: on sets of codes.
        reliable, tentative, uncertain, unreliable: how many codes are so (see `Agreement.verdict`).
        few: of how many codes it is not known.
    """

    messages: int
    alpha: Figure
    reliable: int
    tentative: int
    uncertain: int
    unreliable: int
    few: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of codes in what a sample was drawn from.

    Attributes:
        coded: messages of the sample that are coded, of `drawn`.
        by_code: the rate of each code.
    """

    coded: int
    drawn: int
    by_code: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class StoppingReport:
    """Everything that helps to decide.

    Attributes:
        alpha: at growing numbers of messages; empty where none is coded twice.
        weak: codes with unreliable agreement that is not for want of codings.
        uncertain: codes whose agreement may be unreliable, which is not for want of codings.
        few: codes that fewer than `FEW` messages carry, the rarest first.
        curve: None without gold and texts for it; `no_curve` says why.
        rates: None without a sample.
        advice: what to do, one sentence after another.
        note: which codings do not count for agreement; empty where all do.
    """

    codings: int
    messages: int
    alpha: tuple[AlphaPoint, ...]
    weak: tuple[str, ...]
    uncertain: tuple[str, ...]
    few: tuple[str, ...]
    curve: Curve | None
    no_curve: str
    rates: Rates | None
    advice: tuple[str, ...]
    note: str


def stopping_report(
    units: Sequence[Unit],
    curve: Curve | None = None,
    no_curve: str = "",
    sample: Sequence[Drawn] | None = None,
    seed: int = 1,
) -> StoppingReport:
    """Bring the figures together.

    Args:
        units: every coded message with all of its codings; of several last rounds the last one counts for the rates.
        curve: of the same codings, or None and why not.
        sample: what was drawn to be coded.
        seed: order in which conversations are added, and the bootstrap.
    """
    alpha, whole = alpha_growth(units, seed)
    few = few_codes(units)
    last = {(unit.conversation, unit.index): unit.last_rounds().given[-1].gold for unit in units}
    rates = _rates(last, sample) if sample else None
    return StoppingReport(
        codings=sum(len(unit.given) for unit in units),
        messages=len(units),
        alpha=alpha,
        weak=_read_as("unreliable", whole),
        uncertain=_read_as("uncertain", whole),
        few=few,
        curve=curve,
        no_curve=no_curve,
        rates=rates,
        advice=tuple(_advice(alpha, whole, several_coders(units), few, curve, rates)),
        note=earlier_rounds(units) if several_coders(units) else "",
    )


def alpha_growth(units: Sequence[Unit], seed: int = 1) -> tuple[tuple[AlphaPoint, ...], list[Agreement]]:
    """Agreement on a quarter, half, three quarters and all of the conversations, in random order, and on all by code.

    Messages with one coding say nothing and are left out; which codings count says `mi_coder.annotation.agreement`.
    """
    twice = split(units, "all").get("", [])
    names = np.random.default_rng(seed).permutation(sorted({unit.conversation for unit in twice})).tolist()
    points: list[AlphaPoint] = []
    rows: list[Agreement] = []
    for count in sorted({math.ceil(share * len(names)) for share in SHARES} - {0}):
        within = set(names[:count])
        part = [unit for unit in twice if unit.conversation in within]
        figures = {row.name: row for row in agreements(part, SAMPLES, seed)}
        rows = [figures[code] for code in Codebook.load().ids]
        told = [row.verdict for row in rows if _is_known(row)]
        points.append(
            AlphaPoint(
                messages=len(part),
                alpha=figures[SETS].alpha,
                reliable=told.count("reliable"),
                tentative=told.count("tentative"),
                uncertain=told.count("uncertain"),
                unreliable=told.count("unreliable"),
                few=len(rows) - len(told),
            )
        )
    return tuple(points), rows


def few_codes(units: Sequence[Unit]) -> tuple[str, ...]:
    """Codes that fewer than `agreement.FEW` messages carry in any coding, the rarest first."""
    carried = {
        code: sum(any(code in gold.positive for gold in unit.codings) for unit in units) for code in Codebook.load().ids
    }
    return tuple(sorted((code for code, count in carried.items() if count < FEW), key=carried.__getitem__))


def _rates(golds: Mapping[Place, Gold], sample: Sequence[Drawn]) -> Rates:
    codes = Codebook.load().ids
    coded = [row for row in sample if row.place in golds]
    truth = [[_presence(golds[row.place], code) for code in codes] for row in coded]
    figures = weighted_rates(
        np.array(truth, dtype=np.float64).reshape(len(coded), len(codes)),
        np.array([row.probability for row in coded]),
        [row.conversation_id for row in coded],
    )
    return Rates(len(coded), len(sample), dict(zip(codes, figures, strict=True)))


def _presence(gold: Gold, code: str) -> float:
    return 1.0 if code in gold.positive else 0.0 if code in gold.negative else math.nan


def _read_as(verdict: str, rows: Sequence[Agreement]) -> tuple[str, ...]:
    """The codes with this verdict, those of which it is not known left out."""
    return tuple(row.name for row in rows if row.verdict == verdict and _is_known(row))


def _is_known(row: Agreement) -> bool:
    """Whether enough messages have and lack a code; few conversations do not excuse agreement that is too low."""
    return row.rarest >= FEW and (row.verdict == "unreliable" or not row.few)


def _advice(
    alpha: Sequence[AlphaPoint],
    rows: Sequence[Agreement],
    by_several: bool,
    few: Sequence[str],
    curve: Curve | None,
    rates: Rates | None,
) -> Iterator[str]:
    """What to do.

    Args:
        rows: agreement on each code, over all messages of `alpha`.
        by_several: whether the codings are by several coders.
    """
    if problems := tuple(_problems_of_agreement(alpha, rows, by_several)):
        yield from problems
    else:
        unknown = ", ".join(row.name for row in rows if not _is_known(row))
        yield "Agreement is high enough and precise enough: from now on one coding per message is enough." + (
            f" For {unknown} it is unknown: too few messages were coded twice." if unknown else ""
        )
    if curve:
        worth = f"100 more codings last gained {curve.gain:+.3f} macro-F1"
        yield (
            f"Continue: {worth}."
            if curve.gain >= WORTH
            else f"Stop coding randomly drawn messages: {worth}, under {WORTH:g}."
        )
    if few:
        yield (
            f"Fewer than {FEW} messages have {', '.join(few)}. Look for them: mi-code sample CHATS --design rare-code "
            f"--codes {','.join(few)}"
        )
    if rates and rates.coded < rates.drawn:
        yield (
            f"{rates.drawn - rates.coded} of {rates.drawn} drawn messages are not coded: the rates are right only if "
            "those coded so far are a random part of them. Finish the sample before you report them."
        )


def _problems_of_agreement(alpha: Sequence[AlphaPoint], rows: Sequence[Agreement], by_several: bool) -> Iterator[str]:
    """What keeps agreement from being high enough and well enough known."""
    if not alpha:
        yield "No message is coded twice: first have some of them coded by a second person."
        return
    if not by_several:
        yield "These are rounds of one coder: have some messages coded by a second person."
    weak, uncertain = _read_as("unreliable", rows), _read_as("uncertain", rows)
    if weak:
        yield f"Coders agree too little (alpha under {TENTATIVE}) on {', '.join(weak)}: revise the manual first."
    if uncertain:
        yield (
            f"It is not certain that alpha reaches {TENTATIVE} on {', '.join(uncertain)}: have more conversations "
            "coded "
            "twice."
        )
    if weak:
        return
    if not alpha[-1].alpha.high - alpha[-1].alpha.low <= WIDE:
        yield f"The interval of alpha is wider than {WIDE:g}: have more conversations coded twice."
    elif not any(map(_is_known, rows)):
        enough = any(row.rarest >= FEW for row in rows)
        yield (
            f"Every code is present, or absent, in fewer than {FEW_CONVERSATIONS} conversations: have more of them "
            "coded twice."
            if enough
            else "No code is given often enough to estimate agreement: have more messages coded twice."
        )
