"""The client's words join the encoder where it tells depth and permission."""

from mi_coder.training.depth import fit_depth
from mi_coder.training.fit import FitData
from mi_coder.training.known import Known
from mi_coder.training.model import Coder
from mi_coder.training.permission import fit_permission


def join_words(model: Coder, train: FitData, dev: FitData) -> dict[str, bool]:
    """Fit what stands beside the encoder in the last two heads of `model`, in place.

    Returns:
        By attribute, whether enough was known to fit it; where not, the encoder tells it alone.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    return {
        "depth": fit_depth(model, train.tokens, _known(dev, -2)),
        "permission": fit_permission(model, _known(train, -1), _known(dev, -1)),
    }


def _known(part: FitData, head: int) -> Known:
    return Known.among(part.tokens, part.targets.known[:, head])
