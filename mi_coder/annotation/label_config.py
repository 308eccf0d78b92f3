"""The Label Studio screen: one message per task, its context above, the codes in colored columns."""

from collections.abc import Iterable
from hashlib import sha256
from html import escape
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from mi_coder.annotation.hotkeys import check_hotkeys
from mi_coder.annotation.overlay import Overlay, OwnCode
from mi_coder.codebook import Attribute, Code, Codebook

UNSURE_HOTKEY = "0"

_COLUMNS = {"adherent": "MI-adherent", "non-adherent": "MI-non-adherent", "neutral": "Neutral", "platform": "Platform"}

_OWN = "own"

# Set on the light and on the dark page. The context shows its end first, where the message to code follows.
_CSS = """
    .mi .context { max-height: 30vh; overflow-y: auto; display: flex; flex-direction: column-reverse; }
    .mi .context p { margin: 2px 0; }
    .mi .target { border: 2px solid #b26a00; border-left-width: 8px; padding: 6px 12px; margin: 8px 0; }
    .mi .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 4px 12px; }
    .mi .columns .ant-checkbox-wrapper, .mi .columns label { line-height: 1.25; }
    .mi .columns form, .mi .columns .ant-form-item { margin: 0; }
    .mi .details { display: flex; flex-wrap: wrap; gap: 4px 20px; }
"""


def label_config(book: Codebook, overlay: Overlay | None = None) -> str:
    """Render the Label Studio labeling config of a codebook as XML.

    Tasks carry `text`, `speaker`, `suggestion` and `context_html` (escaped by whoever makes the tasks). Annotators fill
    `code` (several, required), the attributes of the chosen codes, `own` where there is an overlay, `unsure` and
    `comment`.

    Raises:
        UsageProblem: two choices have the same hotkey, or one has a key that the editor takes.
    """
    check_hotkeys(_hotkeys(book, overlay))
    columns = {key: [code for code in book.codes if _column(code) == key] for key in _COLUMNS}
    root = Element("View", className="mi")
    borders = "".join(
        f"    .mi .{key} {{ border-top: 4px solid {codes[0].color}; }}\n" for key, codes in columns.items()
    )
    SubElement(root, "Style").text = f"{_CSS}{borders}  "
    _add_message(root)
    _add_codes(root, columns)
    if overlay:
        _add_own(root, overlay)
    details = SubElement(root, "View", className="details")
    for attribute in book.attribute_details:
        _add_attribute(details, attribute, [code.id for code in book.codes if attribute.name in code.attributes])
    _add_remarks(details)
    _add_guide(root, columns)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def reading_config() -> str:
    """A config to read whole conversations in, with one comment; tasks carry `title` and `context_html`."""
    root = Element("View", className="mi")
    SubElement(root, "Style").text = "\n    .mi p { margin: 4px 0; max-width: 70ch; }\n  "
    SubElement(root, "Header", value="$title", size="4")
    SubElement(root, "HyperText", name="text", value="$context_html", inline="true", selectionEnabled="false")
    comment = SubElement(root, "TextArea", name="comment", toName="text", placeholder="Comment (optional)")
    comment.attrib |= {"rows": "3", "maxSubmissions": "1", "editable": "true"}
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def schema_hash(config: str) -> str:
    """First 16 hex digits of the SHA-256 of what a config means: spaces and the order of attributes do not count."""
    return sha256(ElementTree.canonicalize(config, strip_text=True).encode()).hexdigest()[:16]


def offered(config: str, control: str) -> tuple[str, ...]:
    """The values of the choices of a control, in order; none where the config has no such control.

    Raises:
        ElementTree.ParseError: the config is no XML.
    """
    found = ElementTree.fromstring(config).find(f".//Choices[@name='{control}']")
    return () if found is None else tuple(choice.get("value", "") for choice in found.iter("Choice"))


def _column(code: Code) -> str:
    return code.set if code.set == "platform" else str(code.standing("shah"))


def _add_message(root: Element) -> None:
    context = SubElement(root, "View", className="context")
    SubElement(context, "HyperText", name="context", value="$context_html", inline="true", selectionEnabled="false")
    target = SubElement(root, "View", className="target")
    SubElement(target, "Header", value="$speaker", size="5")
    SubElement(target, "Text", name="text", value="$text")
    SubElement(target, "Header", value="$suggestion", size="6")


def _add_codes(root: Element, columns: dict[str, list[Code]]) -> None:
    choices = _choices(root, "code", choice="multiple", layout="vertical", required="true")
    choices.set("requiredMessage", "Pick at least one code")
    grid = SubElement(choices, "View", className="columns")
    for key, codes in columns.items():
        column = SubElement(grid, "View", className=key)
        SubElement(column, "Header", size="6", value=_COLUMNS[key])
        for code in codes:
            hint = f"{code.definition} For example: {code.examples[0].text}"
            html = f"<b>{code.id}</b> {code.name}"
            SubElement(column, "Choice", value=code.id, hotkey=code.hotkey, hint=hint, html=html)


def _add_own(root: Element, overlay: Overlay) -> None:
    view = SubElement(root, "View", className=_OWN)
    SubElement(view, "Header", size="6", value=overlay.title)
    choices = _choices(view, _OWN, choice="multiple", showInline="true")
    for code in overlay.codes:
        html = f"<b>{escape(code.id)}</b> {escape(code.name)}"
        key = {"hotkey": code.hotkey} if code.hotkey else {}
        SubElement(choices, "Choice", {"value": code.id, **key, "hint": _own_hint(code), "html": html})


def _own_hint(code: OwnCode) -> str:
    return f"{code.definition} For example: {code.example}" if code.example else code.definition


def _hotkeys(book: Codebook, overlay: Overlay | None) -> dict[str, str]:
    keys = {code.id: code.hotkey for code in book.codes}
    keys.update({code.id: code.hotkey for code in overlay.codes if code.hotkey} if overlay else {})
    keys.update({f"{one.name} {value.name}": value.hotkey for one in book.attribute_details for value in one.values})
    return {**keys, "unsure": UNSURE_HOTKEY}


def _add_attribute(details: Element, attribute: Attribute, codes: Iterable[str]) -> None:
    """A choice that shows only while one of its codes is chosen."""
    choices = _choices(details, attribute.name, choice="single", showInline="true", visibleWhen="choice-selected")
    choices.set("whenTagName", "code")
    choices.set("whenChoiceValue", ",".join(codes))
    SubElement(choices, "Header", size="6", value=attribute.name.capitalize())
    for value in attribute.values:
        SubElement(choices, "Choice", value=value.name, hotkey=value.hotkey, hint=value.definition)


def _add_remarks(details: Element) -> None:
    unsure = _choices(details, "unsure", choice="multiple")
    hint = "Let someone else look at this message too"
    SubElement(unsure, "Choice", value="unsure", hotkey=UNSURE_HOTKEY, hint=hint)
    comment = SubElement(details, "TextArea", name="comment", toName="text", placeholder="Comment (optional)")
    comment.attrib |= {"rows": "2", "maxSubmissions": "1", "editable": "true", "required": "false"}


def _choices(parent: Element, name: str, **options: str) -> Element:
    return SubElement(parent, "Choices", {"name": name, "toName": "text", **options})


def _add_guide(root: Element, columns: dict[str, list[Code]]) -> None:
    """The rules of the codes, folded away."""
    guide = SubElement(root, "Collapse", accordion="true")
    for key, codes in columns.items():
        panel = SubElement(guide, "Panel", value=f"Guide: {_COLUMNS[key]}")
        for code in codes:
            entry = SubElement(panel, "View")
            SubElement(entry, "Header", size="5", value=f"{code.id} {code.name}: {code.definition}")
            for title, rules in (("Counts", code.include), ("Does not count", code.exclude), ("Ties", code.ties)):
                SubElement(entry, "Header", size="6", value=f"{title}: {' / '.join(rules)}")
