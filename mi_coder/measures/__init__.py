"""How techniques are used: counts, the summaries of MITI and MISC with intervals, co-occurrence, order and position."""

from mi_coder.measures.profile import Profile, profile

__all__ = ["Profile", "profile"]
