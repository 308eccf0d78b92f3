"""Whether the presets find the coefficients of the published studies in data that were made with them.

    python benchmarks/study_oracles.py [--replications 200]

Prints, per design, every coefficient with its mean estimate, how many Monte-Carlo errors that is off, and how many 95 %
intervals hold the truth; then how often coefficients that are 0 come out significant. Leaves with 1 where a limit is
not met. The stored run is benchmarks/runs/study_oracles.md.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.trials.presets import Scale, Trials, matched, shah, yang

REPLICATIONS = 200
SCALES: tuple[Scale, ...] = ("PHQ-2", "GAD-2")
NEAR, FAR = 2.0, 3.5
"""Monte-Carlo errors: hardly any coefficient is farther off than the first, and none than the second."""
COVERAGE = (0.92, 0.98)
REJECTION = (0.03, 0.07)
CHANCE = 0.001
"""Of missing a limit of single coefficients where nothing is wrong."""


def recovered(studies: int) -> list[Trials]:
    """Studies with the published coefficients; no two designs share seeds."""
    return [
        shah(studies),
        *(yang(scale, studies, first=k * studies) for k, scale in enumerate(SCALES, start=1)),
        *(matched(scale, studies, first=k * studies) for k, scale in enumerate(SCALES, start=3)),
    ]


def nulls(studies: int) -> list[Trials]:
    """The same designs without effects, PHQ-2 and GAD-2 together, by further seeds."""
    return [
        shah(studies, null=True, first=5 * studies),
        _together([yang(scale, studies, null=True, first=k * studies) for k, scale in enumerate(SCALES, start=6)]),
        _together([matched(scale, studies, null=True, first=k * studies) for k, scale in enumerate(SCALES, start=8)]),
    ]


def missed(found: Sequence[Trials], null: Sequence[Trials], slack: float = 0.0) -> list[str]:
    """The limits that are not met, in words.

    Limits in Monte-Carlo errors are those of the normal distribution, put into the t distribution of so many studies;
    those of one coefficient's coverage are binomial. Both are as wide as the number of studies makes them.

    Args:
        slack: Monte-Carlo errors by which shares over all coefficients of a design, or of all, may miss their limits.
    """
    wrong = []
    off = np.abs(np.concatenate([each.off() for each in found]))
    degrees = found[0].studies - 1
    near, far = (stats.t.isf(stats.norm.sf(errors), degrees) for errors in (NEAR, FAR))
    most = stats.binom.ppf(1 - CHANCE, len(off), 2 * stats.norm.sf(NEAR))
    if (off > near).sum() > most:
        wrong.append(f"{(off > near).sum()} of {len(off)} coefficients are off by {near:.2f} errors, above {most:.0f}")
    held = [each.covered() for each in found]
    shares = [("all designs: share of intervals that hold", np.concatenate(held), COVERAGE)]
    shares += [
        (f"{each.title}: share of intervals that hold", count, COVERAGE)
        for each, count in zip(found, held, strict=True)
    ]
    shares += [(f"{each.title}: share significant under the null", each.rejected(), REJECTION) for each in null]
    for what, counts, limits in shares:
        tests = counts.size * found[0].studies
        share = counts.sum() / tests
        low, high = (end + sign * slack * _error(end, tests) for end, sign in zip(limits, (-1, 1), strict=True))
        if not low <= share <= high:
            wrong.append(f"{what} is {share:.3f}, not {low:.3f} to {high:.3f}")
    for each in found:
        least, most_held = single_limits(each.studies)
        for name, errors, count in zip(each.names, each.off(), each.covered(), strict=True):
            if abs(errors) > far:
                wrong.append(f"{each.title}, {name}: off by {errors:.1f} Monte-Carlo errors, above {far:.2f}")
            if not least <= count <= most_held:
                wrong.append(
                    f"{each.title}, {name}: {count} of {each.studies} intervals hold, not {least} to {most_held}"
                )
    return wrong


def single_limits(studies: int) -> tuple[int, int]:
    """How many of the intervals of one coefficient may hold."""
    low, high = (int(stats.binom.ppf(tail, studies, 0.95)) for tail in (CHANCE / 2, 1 - CHANCE / 2))
    return low, high


def main() -> int:
    """Run all designs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=REPLICATIONS)
    studies = parser.parse_args().replications
    start = process_time()
    found, null = recovered(studies), nulls(studies)
    low, high = single_limits(studies)
    print(f"{studies} studies per design. Of the intervals of one coefficient {low} to {high} may hold.")
    for each in found:
        print(f"\n{each.title}: coverage {each.covered().mean() / studies:.3f}\n")
        print("| coefficient | truth | mean | Monte-Carlo error | off by | intervals that hold |")
        print("|---|---|---|---|---|---|")
        rows = zip(
            each.names, each.truth, each.estimate.mean(axis=1), each.error(), each.off(), each.covered(), strict=True
        )
        for name, truth, mean, error, off, covered in rows:
            print(f"| {name} | {truth:.3f} | {mean:.4f} | {error:.4f} | {off:+.1f} | {covered} |")
    off = np.abs(np.concatenate([each.off() for each in found]))
    covered = np.concatenate([each.covered() for each in found]) / studies
    print(
        f"\nAll {len(off)} coefficients: coverage {covered.mean():.3f}; {(off > NEAR).sum()} are off by more than "
        f"{NEAR:g} Monte-Carlo errors, the farthest by {off.max():.1f}.\n"
    )
    print("| without effects | coefficients x studies | p < .05 | least and greatest of a coefficient |")
    print("|---|---|---|---|")
    for each in null:
        share = each.rejected() / studies
        print(
            f"| {each.title} | {len(share) * studies:,} | {share.mean():.3f} | {share.min():.3f}, {share.max():.3f} |"
        )
    wrong = missed(found, null)
    print(f"\n{process_time() - start:.0f} CPU-seconds. " + ("All limits met." if not wrong else "Missed: "))
    print("\n".join(f"- {name}" for name in wrong))
    return bool(wrong)


def _together(parts: Sequence[Trials]) -> Trials:
    """Designs that differ only in their coefficients as one; names by the first."""
    return Trials(
        parts[0].title.replace("PHQ-2", "PHQ-2 and GAD-2"),
        sum((each.names for each in parts), ()),
        *(
            np.concatenate([getattr(each, name) for each in parts])
            for name in ("truth", "tested", "estimate", "low", "high")
        ),
    )


def _error(share: float, tests: int) -> float:
    return float((share * (1 - share) / tests) ** 0.5)


if __name__ == "__main__":
    sys.exit(main())
