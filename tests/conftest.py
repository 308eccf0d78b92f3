"""What several test modules need."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from benchmarks.material.tiny_model import make_tiny_model
from mi_coder.tagger.tagger import Tagger

ROOT = Path(__file__).parent.parent

# No test may fail because the machine is busy, and what passed once in CI passes again.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real corpora, not in the project: `$MI_CODER_DATA`, or `../shared/data` beside the checkout."""
    folder = Path(os.environ.get("MI_CODER_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            f"the corpora are not here: no folder {folder.name!r} beside the checkout, and MI_CODER_DATA is not set"
        )
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick model folder with made-up weights."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tagger(tiny: Path) -> Tagger:
    """A tagger with that model."""
    return Tagger.load(tiny)
