"""The codebook itself: its rules, groups, fingerprint, crosswalks, and the files generated from it."""

import csv
import io
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from mi_coder.codebook import Code, Codebook
from mi_coder.codebook_export import explain, to_csv, to_json, to_markdown
from mi_coder.crosswalk import Scheme, Translation
from mi_coder.errors import UnknownName

ROOT = Path(__file__).resolve().parents[2]
BOOK = Codebook.load()

TABLE_ORDER = "OQ CQ REF AF EA SC PR DI GI GR PD INT OUT ST WA CO RC SU IP CC OT"
IDS = TABLE_ORDER.split()

# shah, misc and miti of every code; "with/without" where permission decides.
SIDES = {
    "OQ": "+ + 0",
    "CQ": "+ 0 0",
    "REF": "+ + 0",
    "AF": "+ + +",
    "EA": "+ + +",
    "SC": "+ + +",
    "PR": "+ +/- 0/-",
    "DI": "- - n",
    "GI": "0 0 0",
    "GR": "0 0 n",
    "PD": "0 n n",
    "INT": "0 0 n",
    "OUT": "0 0 n",
    "ST": "0 0 n",
    "WA": "- - -",
    "CO": "- - -",
    "RC": "- +/- +/-",
    "SU": "0 + n",
    "IP": "- n n",
    "CC": "0 0 n",
    "OT": "0 0 n",
}
SIGNS = {"+": "adherent", "-": "non-adherent", "0": "neutral", "n": "not-coded"}


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return __import__("generate")


@pytest.fixture
def lint(tools: ModuleType) -> ModuleType:
    return __import__("codebook_lint")


def known(translation: Translation) -> tuple[set[str], set[str], list[set[str]]]:
    return set(translation.positive), set(translation.negative), [set(group) for group in translation.any_of]


# --- codes, names, sets, groups


def test_ids_come_in_the_fixed_order() -> None:
    assert list(BOOK.ids) == IDS


def test_subsets() -> None:
    rare = {"ST", "WA", "CO", "RC"}
    platform = {"SU", "IP", "CC", "OT"}
    assert BOOK.subset("all") == BOOK.ids
    assert set(BOOK.subset("platform")) == platform
    assert set(BOOK.subset("MI")) == set(IDS) - platform and len(BOOK.subset("mi")) == 17
    assert set(BOOK.subset("shah17")) == set(IDS) - rare and len(BOOK.subset("shah17")) == 17


@pytest.mark.parametrize("code", IDS)
def test_sides(code: str) -> None:
    for grouping, signs in zip(("shah", "misc", "miti"), SIDES[code].split(), strict=True):
        given, _, withheld = signs.partition("/")
        assert BOOK[code].standing(grouping, "with") == SIGNS[given]
        assert BOOK[code].standing(grouping, "without") == SIGNS[withheld or given]
        assert BOOK[code].standing(grouping) == (None if withheld else SIGNS[given])


def test_groups_list_codes_split_by_permission_only_when_it_is_given() -> None:
    assert BOOK.group("misc", "adherent") == ("OQ", "REF", "AF", "EA", "SC", "SU")
    assert BOOK.group("misc", "adherent", "with") == ("OQ", "REF", "AF", "EA", "SC", "PR", "RC", "SU")
    assert BOOK.group("misc", "non-adherent", "without") == ("PR", "DI", "WA", "CO", "RC")
    assert BOOK.group("miti", "adherent") == ("AF", "EA", "SC")


def test_attributes_and_their_codes() -> None:
    assert BOOK.attributes == {
        "depth": ("simple", "complex"),
        "permission": ("with", "without"),
        "reason": ("sexual", "abuse", "contact", "identity", "harm-enabling", "stigma"),
    }
    carriers = {code.id: code.attributes for code in BOOK.codes if code.attributes}
    assert carriers == {"REF": ("depth",), "PR": ("permission",), "RC": ("permission",), "IP": ("reason",)}


def test_single_label_order() -> None:
    order = "IP CO WA RC DI PR EA SC AF REF SU OQ CQ GI PD ST OUT INT CC GR OT"
    assert " ".join(BOOK.single_label_order) == order
    assert sorted(BOOK.single_label_order) == sorted(IDS)


def test_only_the_four_rare_codes_rest_on_the_manuals_alone() -> None:
    assert [code.id for code in BOOK.codes if code.confidence == "M"] == ["ST", "WA", "CO", "RC"]


def test_affirm_keeps_the_generic_note() -> None:
    assert "generic" in BOOK["AF"].note


# --- lookups


@pytest.mark.parametrize("name", ["OQ", "oq", " Oq ", "Open question", "OPEN QUESTION"])
def test_lookup_by_id_or_name(name: str) -> None:
    assert BOOK[name].id == "OQ"


@pytest.mark.parametrize(("typed", "meant"), [("REFF", "'REF'"), ("giving infomation", "'Giving information'")])
def test_unknown_code_suggests_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean {meant}"):
        BOOK[typed]
    assert BOOK.get(typed) is None


@pytest.mark.parametrize("typed", ["I cannot sleep", "secretly" * 3, "my secret: 12", "géheim", "a secret\n"])
def test_what_may_be_a_text_is_not_quoted(typed: str) -> None:
    with pytest.raises(UnknownName, match=r"^There is no such code\..* The codes are: ") as caught:
        BOOK[typed]
    assert typed.strip() not in str(caught.value)


def test_in_asks_for_a_code_by_id_or_name() -> None:
    book = Codebook.load()
    assert "OQ" in book and " affirm " in book
    assert "OQQ" not in book and 3 not in book


def test_codes_of_no_book_have_no_order() -> None:
    assert Codebook.load().in_order({"SU", "OQ"}) == sorted({"SU", "OQ"}, key=Codebook.load().ids.index)
    with pytest.raises(UnknownName, match=r"There is no code 'OQQ'\. Did you mean 'OQ'\? The codes are: "):
        Codebook.load().in_order(["OQ", "OQQ"])


def test_the_attributes_of_the_book_cannot_be_changed() -> None:
    before = Codebook.load().hash
    with pytest.raises(TypeError):
        Codebook.load().attributes["mood"] = ("calm",)  # type: ignore[index]
    fresh = changed()
    assert fresh.attributes == Codebook.load().attributes and fresh.hash == before


def test_other_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no scheme 'esconf'\. Did you mean 'esconv'"):
        BOOK.translate("esconf", "Question")
    with pytest.raises(UnknownName, match=r"no label 'Informations'\. Did you mean 'Information'"):
        BOOK.translate("esconv", "Informations")
    with pytest.raises(UnknownName, match=r"no subset 'shah71'\. Did you mean 'shah17'"):
        BOOK.subset("shah71")
    with pytest.raises(UnknownName, match=r"no grouping 'micsc'\. Did you mean 'misc'"):
        BOOK.group("micsc", "adherent")
    with pytest.raises(UnknownName, match=r"no standing 'adherant'\. Did you mean 'adherent'"):
        BOOK.group("misc", "adherant")


# --- fingerprint


def changed(**fields: object) -> Codebook:
    first = msgspec.structs.replace(BOOK.codes[0], **fields)
    return msgspec.structs.replace(BOOK, codes=(first, *BOOK.codes[1:]))


def test_fingerprint_ignores_wording() -> None:
    assert changed(definition="Other words.", hotkey="p", color="#123456").hash == BOOK.hash
    assert BOOK.hash.startswith("sha256:") and len(BOOK.hash) == len("sha256:") + 16


@pytest.mark.parametrize(
    "book",
    [
        changed(id="OPEN"),
        changed(set="platform"),
        changed(shah17=False),
        changed(attributes=("depth",)),
        changed(groups=BOOK["CQ"].groups),
        msgspec.structs.replace(BOOK, codes=BOOK.codes[::-1]),
        msgspec.structs.replace(BOOK, attribute_details=BOOK.attribute_details[:2]),
    ],
    ids=["id", "set", "shah17", "attributes", "groups", "order", "values"],
)
def test_fingerprint_covers_what_a_machine_depends_on(book: Codebook) -> None:
    assert book.hash != BOOK.hash


# --- crosswalks

LABELS = [(scheme.name, label.label) for scheme in BOOK.crosswalks for label in scheme.labels]


def test_schemes_and_their_sizes() -> None:
    sizes = {scheme.name: len(scheme.labels) for scheme in BOOK.crosswalks}
    assert sizes == {"misc25": 20, "miti421": 10, "annomi": 9, "welivita": 15, "esconv": 8}
    assert BOOK.schemes == tuple(sizes)


@pytest.mark.parametrize(("scheme", "label"), LABELS)
def test_every_translation_is_a_partition(scheme: str, label: str) -> None:
    for result in (BOOK.translate(scheme, label), BOOK.translate_labels(scheme, [label])):
        parts = [*result.positive, *result.negative, *result.unknown]
        assert sorted(parts) == sorted(IDS)
        assert all(group <= result.unknown and len(group) > 1 for group in result.any_of)


@pytest.mark.parametrize(("scheme", "label"), LABELS)
def test_codes_that_a_scheme_cannot_see_are_never_negative(scheme: str, label: str) -> None:
    seen = {link.code for entry in BOOK.scheme(scheme).labels for link in entry.links if link.strength != "weak"}
    assert BOOK.translate_labels(scheme, [label]).negative <= seen


@pytest.mark.parametrize(("scheme", "label"), LABELS)
def test_a_weak_link_keeps_its_code_unknown(scheme: str, label: str) -> None:
    weak = {link.code for link in BOOK.scheme(scheme).find(label).links if link.strength == "weak"}
    assert weak <= BOOK.translate_labels(scheme, [label]).unknown


def test_codes_fed_by_each_corpus() -> None:
    def fed(scheme: str) -> set[str]:
        return {code for label in BOOK.scheme(scheme).labels for code in BOOK.translate(scheme, label.label).positive}

    assert fed("welivita") == set(IDS) - {"SC", "GR", "INT", "OUT", "ST", "RC", "IP", "CC"}
    assert fed("annomi") == {"OQ", "CQ", "REF", "PR", "GI"}
    assert fed("esconv") == {"REF", "PD", "PR", "GI"}


@pytest.mark.parametrize(
    ("scheme", "label", "positive", "negative", "any_of"),
    [
        ("esconv", "Question", "", "REF AF PR GI PD SU", ["OQ CQ"]),
        ("esconv", "Affirmation and Reassurance", "", "OQ CQ REF PR GI PD", ["AF SU"]),
        ("esconv", "Restatement or Paraphrasing", "REF", "OQ CQ AF PR GI PD SU", []),
        ("esconv", "Reflection of feelings", "REF", "OQ CQ AF PR GI PD SU", []),
        ("esconv", "Providing Suggestions", "PR", "OQ CQ REF AF GI PD SU", []),
        ("esconv", "Others", "", "REF AF PR GI PD SU", []),
        ("annomi", "question: open", "OQ", "", []),
        ("annomi", "input: negotiation", "", "", []),
        ("welivita", "Give Information", "GI", "OQ CQ REF AF EA DI PD WA CO SU OT", []),
        ("welivita", "Other", "OT", "OQ CQ REF AF EA PR DI GI PD WA CO SU", []),
        ("miti421", "Q", "", "REF AF EA SC PR GI WA CO", ["OQ CQ"]),
        ("miti421", "Confront", "", "OQ CQ REF AF EA SC PR GI", ["CO WA"]),
        ("miti421", "Seek", "SC", "OQ CQ REF AF EA PR GI WA CO", []),
        ("misc25", "EC", "", "OQ CQ REF AF PR DI GI GR INT OUT ST WA CO RC SU CC OT", ["EA SC"]),
        ("misc25", "GI", "GI", "OQ CQ REF AF EA SC PR DI GR INT OUT ST WA CO RC SU CC OT", []),
        ("misc25", "FI", "", "OQ CQ REF AF EA SC PR DI GI GR ST WA CO RC SU OT", ["INT OUT CC"]),
    ],
)
def test_translation(scheme: str, label: str, positive: str, negative: str, any_of: list[str]) -> None:
    expected = set(positive.split()), set(negative.split()), [set(group.split()) for group in any_of]
    assert known(BOOK.translate(scheme, label)) == expected


@pytest.mark.parametrize(
    ("scheme", "label", "depth", "permission"),
    [
        ("misc25", "SR", "simple", None),
        ("misc25", "RF", "complex", None),
        ("misc25", "ADP", None, "with"),
        ("misc25", "RCW", None, "without"),
        ("miti421", "Persuade", None, "without"),
        ("miti421", "Persuade with", None, "with"),
        ("annomi", "reflection: complex", "complex", None),
        ("welivita", "Simple Reflection", "simple", None),
        ("welivita", "Advise with Permission", None, "with"),
        ("esconv", "Providing Suggestions", None, None),
        ("esconv", "Reflection of feelings", None, None),
    ],
)
def test_attributes_of_labels(scheme: str, label: str, depth: str | None, permission: str | None) -> None:
    result = BOOK.translate(scheme, label)
    assert (result.depth, result.permission) == (depth, permission)


@pytest.mark.parametrize(
    ("alias", "label"),
    [
        ("Questions", "Question"),
        ("Other", "Others"),
        ("Restatement", "Restatement or Paraphrasing"),
        ("Approval and Reassurance", "Affirmation and Reassurance"),
        ("Direct Guidance", "Providing Suggestions"),
        ("information", "Information"),
    ],
)
def test_spellings_of_failed_esconv(alias: str, label: str) -> None:
    assert BOOK.translate("esconv", alias) == BOOK.translate("esconv", label)


@pytest.mark.parametrize(
    ("labels", "positive", "negative"),
    [
        ([], "", "OQ CQ REF PR GI"),
        (["other"], "", "OQ CQ REF PR GI"),
        (["question: open"], "OQ", "CQ REF PR GI"),
        (["question: open", "reflection: complex"], "OQ REF", "CQ PR GI"),
        (["input: advice"], "PR", "OQ CQ REF GI"),
        (["input: options", "question: closed"], "PR CQ", "OQ REF GI"),
        (["input: information"], "GI", "OQ CQ REF PR"),
        (["input: negotiation"], "", "OQ CQ REF GI"),
    ],
)
def test_annomi_flags_count_when_absent(labels: list[str], positive: str, negative: str) -> None:
    assert known(BOOK.translate_labels("annomi", labels)) == (set(positive.split()), set(negative.split()), [])


def test_no_label_says_nothing_where_each_unit_must_carry_one() -> None:
    assert BOOK.translate_labels("esconv", []) == Translation(unknown=frozenset(IDS))


def test_several_labels_on_one_unit() -> None:
    both = BOOK.translate_labels("misc25", ["SR", "CR", "OQ"])
    assert both.positive == {"REF", "OQ"} and both.depth == "complex"
    assert BOOK.translate_labels("miti421", ["Persuade", "Persuade with"]).permission == "with"
    assert BOOK.translate_labels("misc25", ["ADP", "RCW"]).permission is None
    assert BOOK.translate_labels("misc25", ["ADW", "RCW"]).permission == "without"


def test_a_known_code_settles_its_any_of_group() -> None:
    result = BOOK.translate_labels("misc25", ["FI", "OQ"])
    assert result.any_of == (frozenset({"INT", "OUT", "CC"}),)
    custom = msgspec.structs.replace(BOOK, crosswalks=(_scheme({"AB": ["OQ", "CQ"], "A": ["OQ"]}),))
    assert known(custom.translate_labels("toy", ["AB", "A"])) == ({"OQ"}, set(), [])


def _scheme(labels: dict[str, list[str]]) -> Scheme:
    entries = [
        {"label": label, "links": [{"code": code, "strength": "exact"} for code in codes]}
        for label, codes in labels.items()
    ]
    about = {"name": "toy", "title": "", "source": "", "unit": "", "exclusive": True, "note": ""}
    return msgspec.convert({**about, "labels": entries}, type=Scheme)


# --- the written rules, and the files made from them


def test_the_source_has_no_findings(tools: ModuleType, lint: ModuleType) -> None:
    assert lint.findings(tools.read_source(ROOT / tools.SOURCE)) == []


@pytest.mark.parametrize("code", BOOK.codes, ids=BOOK.ids)
def test_every_code_is_fully_described(code: Code) -> None:
    assert code.include and code.exclude and code.ties
    assert len(code.examples) >= 3 and len(code.near_misses) >= 3
    assert all(miss.code in IDS and miss.code != code.id and miss.why for miss in code.near_misses)


def test_no_line_serves_twice() -> None:
    lines = [line.text.casefold() for code in BOOK.codes for line in (*code.examples, *code.near_misses)]
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ({"hotkey": "w"}, "hotkey 'w': used twice"),
        ({"hotkey": "0"}, "hotkey '0': used twice"),
        ({"hotkey": "u"}, "hotkey 'u': use one"),
        ({"hotkey": "enter"}, "hotkey 'enter': use one"),
        ({"hotkey": "ctrl+a"}, "hotkey 'ctrl+a': use one"),
        ({"color": "#08519C"}, "color #08519C: used twice"),
        ({"color": "blue"}, "OQ.color"),
        ({"name": "Reflection"}, "'reflection' names two codes"),
        ({"id": "QO"}, "single_label_order"),
        ({"examples": BOOK["OQ"].examples[:2]}, "OQ.examples: write at least 3"),
        ({"near_misses": ()}, "OQ.near_misses: write at least 3"),
        ({"examples": BOOK["CQ"].examples}, "used twice"),
        ({"near_misses": BOOK["CQ"].near_misses}, "'OQ' must be the id of another code"),
        ({"exclude": ("Something else → QQ",)}, "unknown code 'QQ'"),
        ({"ties": ()}, "OQ.ties"),
        ({"attributes": ("depth",)}, "none shows depth simple"),
        ({"attributes": ("mood",)}, "'mood' is not defined"),
        ({"examples": BOOK["REF"].examples}, "cannot carry a depth"),
        ({"groups": BOOK["PR"].groups}, "OQ.groups.misc: only codes with the attribute permission"),
    ],
)
def test_lint_finds(lint: ModuleType, fields: dict[str, object], finding: str) -> None:
    assert any(finding in found for found in lint.findings(changed(**fields)))


@pytest.mark.parametrize(
    ("link", "finding"),
    [
        ({"code": "QQ", "strength": "exact"}, "links to the unknown code 'QQ'"),
        ({"code": "OQ", "strength": "exact", "depth": "simple"}, "OQ cannot carry depth 'simple'"),
        ({"code": "PR", "strength": "exact", "permission": "maybe"}, "PR cannot carry permission 'maybe'"),
    ],
)
def test_lint_finds_bad_links(lint: ModuleType, link: dict[str, str], finding: str) -> None:
    label = {"label": "A", "links": [link], "aliases": ["a"]}
    about = {"name": "toy", "title": "", "source": "", "unit": "", "exclusive": True, "note": "", "labels": [label]}
    scheme = msgspec.convert(about, type=Scheme)
    found = lint.findings(msgspec.structs.replace(BOOK, crosswalks=(scheme,)))
    assert any(finding in line for line in found)
    assert "toy: 'a' names two labels" in found


def test_generated_files_are_fresh(tools: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tools.main(["--check"]) == 0, capsys.readouterr().err


def test_check_names_stale_files_and_generate_mends_them(
    tools: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (tools.SOURCE, *(name for name, _ in tools.GENERATED)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    with (tmp_path / tools.SOURCE).open("a") as source:
        source.write("\n# a comment changes nothing\n")
    assert tools.main(["--check"], tmp_path) == 0

    source_text = (tmp_path / tools.SOURCE).read_text()
    (tmp_path / tools.SOURCE).write_text(source_text.replace("Gives an order.", "Gives a command.", 1))
    for missing in ("transcript", "coded", "study"):
        (tmp_path / "schemas" / f"{missing}.schema.json").unlink()
    assert tools.main(["--check"], tmp_path) == 1
    complaint = capsys.readouterr().err
    assert all(f"stale: {name}" in complaint for name, _ in tools.GENERATED)

    assert tools.main([], tmp_path) == 0
    assert tools.main(["--check"], tmp_path) == 0


def test_generate_refuses_a_codebook_with_findings(
    tools: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "schemas").mkdir()
    text = (ROOT / tools.SOURCE).read_text()
    (tmp_path / tools.SOURCE).write_text(text.replace('hotkey: "w"', 'hotkey: "q"', 1))
    assert tools.main([], tmp_path) == 2
    assert "hotkey 'q': used twice" in capsys.readouterr().err
    assert not (tmp_path / "docs").exists()


# --- exports


def test_json_export_is_the_packaged_file_and_reads_back() -> None:
    text = to_json(BOOK)
    assert text.encode() == (ROOT / "mi_coder" / "codebook.json").read_bytes()
    assert msgspec.json.decode(text, type=Codebook) == BOOK


def test_csv_export_has_a_row_per_code() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(BOOK))))
    assert [row["id"] for row in rows] == IDS
    row = rows[IDS.index("PR")]
    assert row["misc"] == "with adherent, without non-adherent"
    assert row["welivita"].splitlines()[0] == "Advise with Permission (exact, with permission)"
    assert len(row["examples"].splitlines()) == len(BOOK["PR"].examples)


def test_markdown_export_explains_every_code_and_the_count() -> None:
    page = to_markdown(BOOK)
    assert all(explain(BOOK, code).rstrip() in page for code in BOOK.codes)
    assert "modeled 17 codes" in page and "shah17" in page
    assert BOOK.hash in page


def test_explanation_holds_every_rule_and_line() -> None:
    code = BOOK["PR"]
    text = explain(BOOK, code)
    for line in (*code.include, *code.exclude, *code.ties, *(example.text for example in code.examples)):
        assert line in text
    for miss in code.near_misses:
        assert f'"{miss.text}" is {miss.code}. {miss.why}' in text
