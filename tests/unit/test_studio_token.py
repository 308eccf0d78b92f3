"""Where the token of Label Studio comes from: the environment, else the keyring."""

import sys
from types import ModuleType

import pytest

from mi_coder.annotation.client import KEYRING_SERVICE, TOKEN_VARIABLE, find_token
from mi_coder.cli.label_studio import connect
from mi_coder.errors import UsageProblem

URL = "http://127.0.0.1:8080"
KEPT = "kept-in-the-keyring"


class Keyring(ModuleType):
    """Stands for the package keyring."""

    def __init__(self, kept: dict[tuple[str, str], str], locked: bool = False) -> None:
        super().__init__("keyring")
        self.asked: list[tuple[str, str]] = []
        self._kept, self._locked = kept, locked
        self.errors = ModuleType("keyring.errors")
        self.errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]

    def get_password(self, service: str, name: str) -> str | None:
        self.asked.append((service, name))
        if self._locked:
            raise self.errors.KeyringError("locked")
        return self._kept.get((service, name))


@pytest.fixture(autouse=True)
def no_token_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


def install(monkeypatch: pytest.MonkeyPatch, keyring: Keyring) -> Keyring:
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", keyring.errors)
    return keyring


def test_the_keyring_is_asked_for_the_token_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = install(monkeypatch, Keyring({(KEYRING_SERVICE, URL): f"{KEPT}\n"}))
    assert find_token(URL) == KEPT
    assert keyring.asked == [(KEYRING_SERVICE, URL)]


def test_a_command_reaches_the_server_with_it_whatever_the_end_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    sdk = pytest.importorskip("label_studio_sdk")
    install(monkeypatch, Keyring({(KEYRING_SERVICE, URL): KEPT}))
    tokens: list[str] = []
    monkeypatch.setattr(sdk, "LabelStudio", lambda **given: tokens.append(given["api_key"]))
    assert connect(f"{URL}/").url == URL
    assert tokens == [KEPT]


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = install(monkeypatch, Keyring({(KEYRING_SERVICE, URL): KEPT}))
    monkeypatch.setenv(TOKEN_VARIABLE, " from-the-environment ")
    assert find_token(URL) == "from-the-environment"
    assert not keyring.asked


@pytest.mark.parametrize(
    "keyring",
    [Keyring({}), Keyring({(KEYRING_SERVICE, "https://elsewhere.example.org"): KEPT}), Keyring({}, locked=True)],
    ids=["empty", "other address", "locked"],
)
def test_without_a_token_both_places_are_named(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, keyring)
    with pytest.raises(UsageProblem, match=f"export {TOKEN_VARIABLE}=.*keyring set {KEYRING_SERVICE} {URL}"):
        find_token(URL)


def test_without_the_package_both_places_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(UsageProblem, match=f"keyring set {KEYRING_SERVICE} {URL}"):
        find_token(URL)


def test_a_token_with_a_line_break_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Keyring({(KEYRING_SERVICE, URL): "one\ntwo"}))
    with pytest.raises(UsageProblem, match=r"^The keyring has characters") as caught:
        find_token(URL)
    assert "two" not in str(caught.value)
