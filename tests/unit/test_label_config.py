"""The Label Studio config: well-formed, complete, and within what the editor can do."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import msgspec
import pytest

from mi_coder.annotation.label_config import label_config
from mi_coder.codebook import Codebook

BOOK = Codebook.load()


@pytest.fixture(scope="module")
def root() -> Element:
    return ElementTree.fromstring(label_config(BOOK))


def choices(root: Element, name: str) -> dict[str, Element]:
    control = root.find(f".//Choices[@name='{name}']")
    assert control is not None
    assert control.get("toName") == "text"
    return {str(choice.get("value")): choice for choice in control.iter("Choice")}


def test_every_code_is_a_choice_with_its_hotkey_and_hint(root: Element) -> None:
    offered = choices(root, "code")
    assert set(offered) == set(BOOK.ids) and len(offered) == 21
    for code in BOOK.codes:
        assert offered[code.id].get("hotkey") == code.hotkey
        assert code.definition in str(offered[code.id].get("hint"))
        assert offered[code.id].get("html") == f"<b>{code.id}</b> {code.name}"


def test_codes_are_required_and_several_may_be_chosen(root: Element) -> None:
    control = root.find(".//Choices[@name='code']")
    assert control is not None
    assert (control.get("choice"), control.get("required")) == ("multiple", "true")


def test_columns(root: Element) -> None:
    columns = {
        str(view.get("className")): [choice.get("value") for choice in view.iter("Choice")]
        for view in root.findall(".//Choices[@name='code']/View/View")
    }
    assert columns == {
        "adherent": ["OQ", "CQ", "REF", "AF", "EA", "SC", "PR"],
        "non-adherent": ["DI", "WA", "CO", "RC"],
        "neutral": ["GI", "GR", "PD", "INT", "OUT", "ST"],
        "platform": ["SU", "IP", "CC", "OT"],
    }
    style = root.findtext("Style") or ""
    assert all(f".mi .{name} {{ border-top: 4px solid #" in style for name in columns)


@pytest.mark.parametrize(("name", "codes"), [("depth", "REF"), ("permission", "PR,RC"), ("reason", "IP")])
def test_attributes_show_only_beside_their_codes(root: Element, name: str, codes: str) -> None:
    assert tuple(choices(root, name)) == BOOK.attributes[name]
    control = root.find(f".//Choices[@name='{name}']")
    assert control is not None
    assert control.get("visibleWhen") == "choice-selected"
    assert control.get("whenTagName") == "code"
    assert control.get("whenChoiceValue") == codes
    assert control.get("choice") == "single"


def test_hotkeys_are_single_unique_and_not_the_editors_own(root: Element) -> None:
    keys = [str(choice.get("hotkey")) for choice in root.iter("Choice")]
    assert len(keys) == 21 + 2 + 2 + 6 + 1
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 1 and key.isalnum() and key.islower() | key.isdigit() for key in keys)
    assert "u" not in keys
    assert choices(root, "unsure")["unsure"].get("hotkey") == "0"


def test_task_fields_are_the_only_variables(root: Element) -> None:
    variables = [value for element in root.iter() for value in element.attrib.values() if "$" in value]
    assert variables == ["$context_html", "$speaker", "$text", "$suggestion"]


def test_control_names_are_unique(root: Element) -> None:
    names = [element.get("name") for element in root.iter() if element.get("name")]
    assert sorted(map(str, names)) == sorted(
        ["context", "text", "code", "depth", "permission", "reason", "unsure", "comment"]
    )


def test_guide_folds_away_every_rule(root: Element) -> None:
    guide = root.find("Collapse")
    assert guide is not None
    text = "\n".join(str(header.get("value")) for header in guide.iter("Header"))
    for code in BOOK.codes:
        assert f"{code.id} {code.name}: {code.definition}" in text
        assert all(rule in text for rule in (*code.include, *code.exclude, *code.ties))


def test_markup_in_wording_is_escaped() -> None:
    wild = msgspec.structs.replace(BOOK.codes[0], definition='Ask "x" <b>&</b>', name="A < B & C")
    book = msgspec.structs.replace(BOOK, codes=(wild, *BOOK.codes[1:]))
    choice = choices(ElementTree.fromstring(label_config(book)), "code")["OQ"]
    assert str(choice.get("hint")).startswith('Ask "x" <b>&</b>')
