"""How well human coders agree, to read a model's figures against.

By code: Krippendorff's alpha of three annotators, Shah et al. (2022), doi:10.1145/3555640. Its four codes with fewer
than fifty hits (ST, WA, CO, RC) were dropped there, so no figure exists. Its "Persuade" has no split by permission.

In AnnoMI's own classes: macro-F1 of one rater against another, from the transcripts with ten raters
(`benchmarks/annomi_raters.py`).
"""

from collections.abc import Mapping
from types import MappingProxyType

SOURCE = "three annotators in Shah et al. 2022, on other chats"

HUMAN_ALPHA: Mapping[str, float] = MappingProxyType(
    {
        "OQ": 0.950,
        "CQ": 0.868,
        "REF": 0.585,
        "AF": 0.659,
        "EA": 0.665,
        "SC": 0.662,
        "PR": 0.424,
        "DI": 0.666,
        "GI": 1.0,
        "GR": 0.826,
        "PD": 0.658,
        "INT": 0.877,
        "OUT": 0.791,
        "SU": 0.842,
        "IP": 1.0,
        "CC": 0.590,
        "OT": 0.664,
    }
)

RATERS_F1: Mapping[str, float] = MappingProxyType({"4": 0.799, "8": 0.527})
"""By level of classes."""
