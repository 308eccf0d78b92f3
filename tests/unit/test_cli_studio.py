"""`mi-code studio` apart from the server."""

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mi_coder.annotation.exports import Coded
from mi_coder.cli.main import group


def _coding(index: int, seconds: float | None) -> Coded:
    return Coded(
        conversation_id="c", index=index, text_hash="0" * 16, codes=("OQ",), coder="ann", updated="", seconds=seconds
    )


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [([10, 600], "305 s"), ([600, 10, 20], "20 s"), ([10, None], "10 s"), ([None], "-")],
)
def test_progress_shows_the_median_time(
    seconds: list[float | None], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codings = [_coding(index, taken) for index, taken in enumerate(seconds)]
    client = SimpleNamespace(
        users=dict, project=lambda name: SimpleNamespace(id=7, title="Night"), export=lambda project: []
    )
    monkeypatch.setattr("mi_coder.cli.studio.connect", lambda url: client)
    monkeypatch.setattr(
        "mi_coder.annotation.exports.read_export", lambda *_: SimpleNamespace(codings=codings, tasks=len(codings))
    )
    done = CliRunner().invoke(group, ["studio", "progress", "7"])
    assert done.exit_code == 0, done.exception
    row = done.stdout.splitlines()[-1]
    assert row.split("  ")[0] == "Night" and f"{len(codings)} of {len(codings)}" in row and f" {shown} " in row
