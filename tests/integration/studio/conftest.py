"""A Label Studio for this folder's tests."""

from collections.abc import Iterator

import pytest

from tools.label_studio.server import EXECUTABLE, Studio, executable, running


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A server with empty tables and one user."""
    if executable() is None:
        pytest.skip(f"no Label Studio: install it into .venv-studio (CONTRIBUTING.md), or set {EXECUTABLE}")
    with running(tmp_path_factory.mktemp("studio")) as server:
        yield server
