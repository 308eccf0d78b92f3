"""What several test modules need."""

import os
from pathlib import Path

import pytest

from tests.tiny_model import make_tiny_model

ROOT = Path(__file__).parent.parent


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
