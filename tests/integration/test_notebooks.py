"""The notebooks run from top to bottom and show pictures, and their stored runs name no machine and no text."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_BYTES = 1_500_000
NEEDED = ("practice/demo.jsonl", "practice/train_a.jsonl", "splits.csv", *(
    f"esconv/{name}.csv{end}" for name in ("round1", "round2", "adjudicated") for end in ("", ".meta.json")
))  # fmt: skip
_MACHINE = re.compile(r"(?<![\w.<])/(?:tmp|home|root|work|usr|opt|var|Users|private)/|[A-Z]:\\\\|site-packages")


def _read(path: Path) -> Any:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: pip install 'mi-coder[test]'")
    return nbformat.read(path, as_version=4)


def _outputs(book: Any) -> list[Any]:
    return [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]


def _texts(cell: Any) -> list[str]:
    """What a cell says and shows, pictures apart."""
    shown = [
        text for one in cell.get("outputs", []) for kind, text in one.get("data", {}).items() if kind[:5] == "text/"
    ]
    return [cell.source, *shown, *(one.text for one in cell.get("outputs", []) if one.output_type == "stream")]


def _check(book: Any) -> None:
    """No error, no warning, and at least one picture."""
    outputs = _outputs(book)
    assert [output.evalue for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []
    assert any("image/png" in output.get("data", {}) for output in outputs), "no picture"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the notebooks and of what they read, apart from the checkout."""
    copy = tmp_path_factory.mktemp("analysis")
    for name in NEEDED:
        (copy / "annotations" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "annotations" / name, copy / "annotations" / name)
    (copy / "notebooks").mkdir()
    return copy


def test_all_six_are_there() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path: Path, folder: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("nbclient", "ipykernel", "matplotlib", "statsmodels", "torch"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 'mi-coder[test]'")
    from nbclient import NotebookClient

    monkeypatch.setenv("MI_CODER_DATA", str(shared.resolve()))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("PYTHONPATH", "IPYTHONDIR", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    book = _read(path)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    place = {"metadata": {"path": str(folder / "notebooks")}}
    NotebookClient(book, timeout=None, kernel_name="python3", resources=place).execute()
    _check(book)
    assert [cell.source for cell in book.cells if cell.cell_type == "code" and cell.execution_count is None] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_stored_run_is_whole_and_names_no_machine(path: Path) -> None:
    book = _read(path)
    _check(book)
    counts = [cell.execution_count for cell in book.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "stored as it runs from top to bottom"
    for cell in book.cells:
        for text in _texts(cell):
            assert not (found := _MACHINE.search(text)), text[max(found.start() - 40, 0) : found.end() + 40]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_text_says_what_its_figures_are_of_where_data_may_be_missing(path: Path) -> None:
    cells = _read(path).cells
    needs_data = any("MI_CODER_DATA" in cell.source for cell in cells if cell.cell_type == "code")
    assert ("those of the stored run" in cells[0].source) == needs_data


def test_the_plan_draws_its_sample_as_mi_code_power_says() -> None:
    last = _read(next(path for path in NOTEBOOKS if path.name.startswith("06"))).cells[-1].source
    printed = (ROOT / "mi_coder" / "cli" / "power.py").read_text(encoding="utf-8")
    for option in ("-o to_code.csv", "--n ", "--unit conversation", "--design given", "--chances "):
        assert option in last and option in printed


def test_stored_runs_are_small() -> None:
    assert sum(path.stat().st_size for path in NOTEBOOKS) < MOST_BYTES


def test_no_test_chats_are_read() -> None:
    assert [path.name for path in NOTEBOOKS if "test_c" in path.read_text(encoding="utf-8")] == []


def test_corpora_show_no_text(shared: Path) -> None:
    """No counselor message of ESConv or AnnoMI with five words or more stands in a stored notebook."""
    from mi_coder import corpora

    stored = "\n".join(text for path in NOTEBOOKS for cell in _read(path).cells for text in _texts(cell))
    words = " ".join(stored.split())
    for name in ("esconv", "annomi"):
        for chat in corpora.load(name, shared):
            for message in chat.messages:
                said = " ".join(message.text.split())
                assert len(said.split()) < 5 or said not in words, f"{chat.id}"
