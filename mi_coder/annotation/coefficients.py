"""Coefficients of agreement for any number of coders, with missing codings.

The data are counts [units, values]: how many coders gave each unit each value. Every coefficient is a ratio of totals
over units, so that a resampled set of units needs no more than its totals: see `Nominal`. A coefficient is nan where it
is undefined, such as alpha where only one value occurs.
"""

from dataclasses import dataclass

import numpy as np

from mi_coder.arrays import Floats


@dataclass(frozen=True, slots=True)
class Nominal:
    """Totals over units, from which the coefficients for nominal values follow.

    With r coders of m giving a unit the value k, and m > 1 (pairable) where pairs are counted:

    Attributes:
        own: [..., values] sum of r (r - 1) / (m - 1): pairs of codings of one unit that both have the value.
        given: [..., values] sum of r over the pairable units.
        shares: [..., values] sum of r / m over all units that anybody coded.
        equal: [...] sum over pairable units of the share of their pairs that have equal values.
        pairable: [...] how many units these are.
    """

    own: Floats
    given: Floats
    shares: Floats
    equal: Floats
    pairable: Floats

    @classmethod
    def of_counts(cls, counts: Floats) -> "Nominal":
        """The totals of all units of counts [units, values]."""
        return cls.of_totals(terms(counts).sum(axis=0))

    @classmethod
    def of_totals(cls, totals: Floats) -> "Nominal":
        """From totals [..., 3 * values + 2] of `terms`."""
        own, given, shares = np.split(totals[..., :-2], 3, axis=-1)
        return cls(own, given, shares, totals[..., -2], totals[..., -1])

    def alpha(self) -> Floats:
        """Krippendorff's alpha, 1 - observed / expected disagreement.

        (n - 1) (n - sum own) / (n^2 - sum given^2) is what it subtracts from 1, with n codings (Krippendorff 2011,
        Computing Krippendorff's Alpha-Reliability, section C).
        """
        codings = self.given.sum(axis=-1)
        unequal = codings - self.own.sum(axis=-1)
        return 1 - _ratio((codings - 1) * unequal, codings**2 - (self.given**2).sum(axis=-1))

    def fleiss_kappa(self) -> Floats:
        """Fleiss' kappa with missing codings: chance agreement is the sum of squared prevalences.

        Fleiss 1971, Psychological Bulletin 76(5), 378-382; for coders who did not code all units Gwet 2014, Handbook of
        Inter-Rater Reliability, 4th edition.
        """
        return self._corrected((self._prevalence() ** 2).sum(axis=-1))

    def gwet_ac1(self) -> Floats:
        """Gwet's AC1: chance agreement is the sum of p (1 - p) over prevalences p, divided by the values less one.

        Gwet 2008, British Journal of Mathematical and Statistical Psychology 61, 29-48.
        """
        prevalence = self._prevalence()
        return self._corrected((prevalence * (1 - prevalence)).sum(axis=-1) / (prevalence.shape[-1] - 1))

    def specific(self, value: int) -> Floats:
        """Of two codings drawn from one unit, one of which has the value: how often the other has it, too.

        Of two values, that of the first is positive agreement and that of the second negative agreement (Cicchetti and
        Feinstein 1990, Journal of Clinical Epidemiology 43(6); for many coders Spitzer and Fleiss 1974, British
        Journal of Psychiatry 125).
        """
        return _ratio(self.own[..., value], self.given[..., value])

    def share(self, value: int) -> Floats:
        """How many of the codings of pairable units have the value."""
        return _ratio(self.given[..., value], self.given.sum(axis=-1))

    def _prevalence(self) -> Floats:
        return _ratio(self.shares, self.shares.sum(axis=-1, keepdims=True))

    def _corrected(self, chance: Floats) -> Floats:
        """(observed - chance) / (1 - chance) agreement."""
        return _ratio(_ratio(self.equal, self.pairable) - chance, 1 - chance)


def terms(counts: Floats) -> Floats:
    """What each unit of counts [units, values] adds to the totals of `Nominal`, [units, 3 * values + 2]."""
    coders = counts.sum(axis=1, keepdims=True)
    pairable = coders > 1
    own = np.where(pairable, counts * (counts - 1) / np.maximum(coders - 1, 1), 0)
    given = np.where(pairable, counts, 0)
    shares = counts / np.maximum(coders, 1)
    equal = own.sum(axis=1, keepdims=True) / np.maximum(coders, 1)
    return np.hstack([own, given, shares, equal, pairable])


def alpha(counts: Floats, distance: Floats | None = None) -> float:
    """Krippendorff's alpha.

    Args:
        counts: [units, values] how many coders gave each unit each value; units with fewer than two are left out.
        distance: [values, values] symmetric, 0 on the diagonal: how far two values are apart (the squared differences
            of Krippendorff 2011, section D). Default: 1 for any two, the nominal alpha.
    """
    apart = 1 - np.eye(counts.shape[1]) if distance is None else distance
    return float(alpha_of_totals(distance_terms(counts, apart).sum(axis=0), apart))


def distance_terms(counts: Floats, distance: Floats) -> Floats:
    """What each unit adds to alpha: the distances of its pairs of codings over m - 1, and how often each value came.

    Returns:
        [units, 1 + values], to be summed over units; units with fewer than two codings add nothing.
    """
    coders = counts.sum(axis=1, keepdims=True)
    pairable = coders > 1
    apart = (counts @ distance * counts).sum(axis=1, keepdims=True) / np.maximum(coders - 1, 1)
    return np.where(pairable, np.hstack([apart, counts]), 0)


def alpha_of_totals(totals: Floats, distance: Floats) -> Floats:
    """Alpha of totals [..., 1 + values] of `distance_terms`: 1 - (n - 1) observed / expected sum of distances."""
    observed, given = totals[..., 0], totals[..., 1:]
    expected = (given @ distance * given).sum(axis=-1)
    return 1 - _ratio((given.sum(axis=-1) - 1) * observed, expected)


def fleiss_kappa(counts: Floats) -> float:
    """Fleiss' kappa of counts [units, values]; see `Nominal.fleiss_kappa`."""
    return float(Nominal.of_counts(counts).fleiss_kappa())


def gwet_ac1(counts: Floats) -> float:
    """Gwet's AC1 of counts [units, values], where all possible values have a column; see `Nominal.gwet_ac1`."""
    return float(Nominal.of_counts(counts).gwet_ac1())


def specific_agreement(counts: Floats, value: int) -> float:
    """Agreement on one value of counts [units, values]; see `Nominal.specific`."""
    return float(Nominal.of_counts(counts).specific(value))


def cohen_kappa(joint: Floats) -> Floats:
    """Cohen's kappa of two coders, each with prevalences of their own.

    Cohen 1960, Educational and Psychological Measurement 20(1), equation 1.

    Args:
        joint: [..., values, values] how many units got each value from the first coder and from the second.

    Returns:
        [...] kappa.
    """
    cells = np.ascontiguousarray(np.moveaxis(joint, (-2, -1), (0, 1)))
    first, second = cells.sum(axis=1), cells.sum(axis=0)
    units, equal, chance = first.sum(axis=0), np.trace(cells), (first * second).sum(axis=0)
    return _ratio(units * equal - chance, units**2 - chance)


def mean_cohen_kappa(joint: Floats) -> Floats:
    """Mean of Cohen's kappa over pairs of coders (Light 1971, Psychological Bulletin 76(5), 365-377).

    Args:
        joint: [..., pairs, values, values]; pairs whose kappa is undefined are left out.

    Returns:
        [...] mean kappa.
    """
    kappa = cohen_kappa(joint)
    defined = ~np.isnan(kappa)
    return _ratio(np.where(defined, kappa, 0).sum(axis=-1), defined.sum(axis=-1))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """numerator / denominator, nan where the denominator is 0."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    return np.divide(numerator, denominator, out=np.full(shape, np.nan), where=np.asarray(denominator) != 0)
