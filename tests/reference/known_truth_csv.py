"""Write the simulated data of which the truth is known as CSV, for values.R: python -m tests.reference.known_truth_csv.

Numbers are written so that they are read back to the last bit.
"""

import csv
import sys

import numpy as np

from tests.known_truth import NAMES, sim_known


def main() -> None:
    """Write to standard output, one row per conversation."""
    known = sim_known()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["counselor", "client", *NAMES, "pre", "post", "rating"])
    columns = np.column_stack([known.techniques, known.pre, known.post, known.rating])
    for counselor, client, row in zip(known.counselor.tolist(), known.client.tolist(), columns.tolist(), strict=True):
        writer.writerow([counselor, client, *row])


if __name__ == "__main__":
    main()
