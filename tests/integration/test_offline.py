"""Nothing leaves the machine, and the tag path needs none of the heavy packages."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.material.chats import write_flat
from tests.chats import nested_records, write_jsonl

# Every way to a socket in Python raises, in C code too; names are looked up nowhere.
NO_NETWORK = """
import sys
def refuse(event, args):
    if event.startswith("socket."):
        raise RuntimeError("network: " + event)
sys.addaudithook(refuse)
"""
NO_HEAVY_PACKAGES = """
import sys
HEAVY = {"torch", "transformers", "pandas", "sklearn", "onnx", "pyarrow", "zstandard", "spacy", "yaml"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Refuse())
"""
# Runs several command lines one after the other; they are given as JSON.
RUN_ALL = """
import json, sys
from mi_coder.cli.main import main
for line in json.loads(sys.argv[1]):
    sys.argv = ["mi-code", *line]
    try:
        main()
    except SystemExit as left:
        if left.code:
            raise
"""


def run(program: str, folder: Path, *lines: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(lines)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_guard_itself_works(tmp_path: Path) -> None:
    for attempt in ("socket.create_connection(('127.0.0.1', 9))", "socket.getaddrinfo('localhost', 80)"):
        done = subprocess.run(
            [sys.executable, "-c", f"{NO_NETWORK}\nimport socket\n{attempt}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "RuntimeError: network: socket." in done.stderr
    blocked = subprocess.run(
        [sys.executable, "-c", f"{NO_HEAVY_PACKAGES}\nimport sklearn"], capture_output=True, text=True, check=False
    )
    assert "ModuleNotFoundError" in blocked.stderr


def reports_of_onnxruntime(home: Path, program: str, *arguments: str) -> list[str]:
    """What ONNX Runtime, whose uploader is no part of Python, leaves of its reports in a home folder of its own."""
    quiet = {"CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in quiet} | {"HOME": str(home)}
    home.mkdir()
    subprocess.run([sys.executable, "-c", program, *arguments], env=environment, check=True, capture_output=True)
    return [str(one.relative_to(home)) for one in home.rglob("*") if "microsoft" in str(one).lower()]


def test_onnx_runtime_reports_to_nobody(tmp_path: Path, tiny: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 4)
    session = "import sys, onnxruntime; onnxruntime.InferenceSession(sys.argv[1])"
    assert reports_of_onnxruntime(tmp_path / "without", session, str(tiny / "model.onnx"))
    lines = [["tag", str(tmp_path / "a.jsonl"), "--model", str(tiny)]]
    assert reports_of_onnxruntime(tmp_path / "with", RUN_ALL, json.dumps(lines)) == []
    assert (tmp_path / "a.tagged.jsonl").exists()


def test_tag_evaluate_and_codebook_without_a_network(tmp_path: Path, tiny: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 40)
    gold = list(nested_records(6))
    for record in gold:
        for message in record["messages"]:
            if message["role"] == "counselor":
                message["gold"] = {"codes": ["OQ"]}
    write_jsonl(tmp_path / "gold.jsonl", gold)
    model = ["--model", str(tiny)]
    out = run(
        NO_NETWORK + RUN_ALL,
        tmp_path,
        ["tag", "a.jsonl", *model],
        ["evaluate", "gold.jsonl", *model, "--bootstrap", "10", "--min-support", "1"],
        ["codebook"],
    )
    assert (tmp_path / "a.tagged.jsonl").exists()
    assert "OQ" in out


def test_import_and_tag_without_the_heavy_packages(tmp_path: Path, tiny: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 40)
    check = "import mi_coder; mi_coder.Tagger, mi_coder.Codebook, mi_coder.read_conversations\n"
    run(
        NO_HEAVY_PACKAGES + check + RUN_ALL,
        tmp_path,
        ["tag", "a.jsonl", "--model", str(tiny)],
        ["tag", "a.jsonl", "--model", str(tiny), "-o", "a.csv"],
        ["tag", "a.csv", "--model", str(tiny), "-o", "b.jsonl.gz", "--overwrite"],
    )
    assert (tmp_path / "b.jsonl.gz").exists()


def test_a_chat_with_one_message_loads_only_what_it_needs(tmp_path: Path, tiny: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [{"conversation_id": "c", "role": "counselor", "text": "hm?"}])
    report = "\nprint(os.environ['OPENBLAS_NUM_THREADS'], *sorted(sys.modules))"
    out = run(f"import os\n{RUN_ALL}{report}", tmp_path, ["tag", "a.jsonl", "--model", str(tiny), "--threads", "4"])
    threads, *modules = out.split()
    assert threads == os.environ.get("OPENBLAS_NUM_THREADS", "1")
    assert "mi_coder.formats.jsonl" in modules
    for other in ("delimited", "delimited_writing", "chat_text", "convokit", "parquet", "parquet_writing"):
        assert f"mi_coder.formats.{other}" not in modules
    assert not {"csv", "difflib", "concurrent.futures", "logging", "tempfile"} & {*modules}


def test_a_missing_package_is_named_with_the_line_that_installs_it(tmp_path: Path, tiny: Path) -> None:
    write_flat(tmp_path / "a.jsonl", 4)
    for args, extra in (
        (["--unit", "sentence"], "nlp"),
        (["-o", "a.parquet"], "parquet"),
        (["-o", "a.jsonl.zst"], "zstd"),
    ):
        line = json.dumps([["tag", "a.jsonl", "--model", str(tiny), *args]])
        done = subprocess.run(
            [sys.executable, "-c", NO_HEAVY_PACKAGES + RUN_ALL, line],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert f'pip install "mi-coder[{extra}]"' in done.stderr
