"""Packages of mi_coder lie in layers, test modules stand alone, and neither benchmarks nor tools import tests."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import mi_coder

PACKAGE = Path(__file__).resolve().parents[2] / "mi_coder"


def imported(path: Path) -> set[str]:
    """Packages (and modules beside them) of mi_coder that a module names, also inside functions and for types."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[1] for name in names if name.startswith("mi_coder.")}


def roots(path: Path) -> set[str]:
    """First parts of all names that a module imports, also inside functions."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[0] for name in names}


def test_no_two_packages_import_each_other() -> None:
    needs: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).with_suffix("").parts[0]
        needs.setdefault(own, set()).update(imported(path) - {own})
    order = list(TopologicalSorter(needs).static_order())
    assert order.index("corpora") < order.index("evaluation") < order.index("training") < order.index("cli")


def test_the_package_shows_its_names() -> None:
    shown = "import mi_coder, pydoc; print(*dir(mi_coder)); print(pydoc.plain(pydoc.render_doc(mi_coder)))"
    names, text = subprocess.check_output([sys.executable, "-c", shown], text=True).split("\n", 1)
    assert {*mi_coder.__all__, "__file__"} <= {*names.split()}
    assert "class Tagger" in text and "read_conversations(" in text


def test_no_test_module_imports_another() -> None:
    tests = PACKAGE.parent / "tests"
    for path in tests.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            assert not module.startswith("tests.") or ".test_" not in module, f"{path.name} imports {module}"


def test_no_benchmark_and_no_tool_imports_tests() -> None:
    for folder in ("benchmarks", "tools"):
        paths = list((PACKAGE.parent / folder).rglob("*.py"))
        assert paths and [path.name for path in paths if "tests" in roots(path)] == []


def test_benchmarks_are_a_package_that_no_namesake_hides(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    found = "import sys; sys.path += sys.argv[1:]; import benchmarks.trials.kills, benchmarks.material.chats"
    subprocess.run([sys.executable, "-c", found, str(tmp_path)], cwd=PACKAGE.parent, check=True)
