"""The Label Studio screen: one message per task, its context above, the codes in colored columns."""

from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from mi_coder.codebook import Attribute, Code, Codebook

UNSURE_HOTKEY = "0"

_COLUMNS = {"adherent": "MI-adherent", "non-adherent": "MI-non-adherent", "neutral": "Neutral", "platform": "Platform"}

_CSS = """
    .mi .context { max-height: 260px; overflow-y: auto; display: flex; flex-direction: column-reverse; }
    .mi .target { border: 2px solid #f9a825; background: #fffde7; padding: 8px 12px; margin: 8px 0; }
    .mi .columns { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; }
    .mi .details { display: flex; flex-wrap: wrap; gap: 16px; }
"""


def label_config(book: Codebook) -> str:
    """Render the Label Studio labeling config of a codebook as XML.

    Tasks carry `text`, `speaker` and `context_html` (escaped by whoever makes the tasks). Annotators fill `code`
    (several, required), the attributes of the chosen codes, `unsure` and `comment`.
    """
    columns = {key: [code for code in book.codes if _column(code) == key] for key in _COLUMNS}
    root = Element("View", className="mi")
    borders = "".join(
        f"    .mi .{key} {{ border-top: 4px solid {codes[0].color}; }}\n" for key, codes in columns.items()
    )
    SubElement(root, "Style").text = f"{_CSS}{borders}  "
    _add_message(root)
    _add_codes(root, columns)
    details = SubElement(root, "View", className="details")
    for attribute in book.attribute_details:
        _add_attribute(details, attribute, [code.id for code in book.codes if attribute.name in code.attributes])
    _add_remarks(details)
    _add_guide(root, columns)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _column(code: Code) -> str:
    return code.set if code.set == "platform" else str(code.standing("shah"))


def _add_message(root: Element) -> None:
    context = SubElement(root, "View", className="context")
    SubElement(context, "HyperText", name="context", value="$context_html", inline="true", selectionEnabled="false")
    target = SubElement(root, "View", className="target")
    SubElement(target, "Header", value="$speaker", size="5")
    SubElement(target, "Text", name="text", value="$text")


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
