"""Reports of studies: what stands in them, in three formats and for programs, and that their figures are the CSV's."""

import re
from base64 import b64encode
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("statsmodels", reason="statsmodels is not installed: pip install 'mi-coder[analysis]'")
stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install 'mi-coder[analysis]'")
pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'mi-coder[analysis]'")

from matplotlib.figure import Figure  # noqa: E402

from mi_coder.formats.results import read_results  # noqa: E402
from mi_coder.outcomes.simulate import simulate  # noqa: E402
from mi_coder.outcomes.study.document import (  # noqa: E402
    Document,
    Picture,
    Section,
    Table,
    stem_of,
    to_markdown,
    write_document,
)
from mi_coder.outcomes.study.experience import run_experience  # noqa: E402
from mi_coder.outcomes.study.experience_writing import write_experience  # noqa: E402
from mi_coder.outcomes.study.match import run_matching  # noqa: E402
from mi_coder.outcomes.study.match_writing import write_matched  # noqa: E402
from mi_coder.outcomes.study.quality import no_quality, tagger_quality  # noqa: E402
from mi_coder.outcomes.study.spec import Study, study_of  # noqa: E402
from mi_coder.outcomes.study.writing import write_result  # noqa: E402
from mi_coder.report.page import POLICY  # noqa: E402

STUDY: dict[str, Any] = {
    "data": {"counts": "chats.csv", "client": "client_id"},
    "outcomes": [
        {"name": "rating", "type": "rating", "levels": [1, 2, 3, 4, 5], "models": ["ordinal", "linear"]},
        {"name": "mood", "type": "symptom", "scale": "PHQ-9", "before": "phq9_pre", "after": "phq9_post"},
    ],
    "techniques": {"codes": ["REF", "EA"]},
    "covariates": ["client_age"],
    "label_error": {"counts": "gold.csv"},
    "matching": {"technique": "EA", "covariates": ["phq9_pre", "client_age"]},
    "experience": {"time": "started_at"},
}
VERBS = ("relate", "match", "experience")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a folder of each verb."""
    folder = tmp_path_factory.mktemp("platform")
    simulate(chats=600, counselors=50, gold=0.4, seed=8).write(folder)
    study = study_of(STUDY)
    write_result(study.fit(folder), folder, folder / "relate")
    write_matched(run_matching(study, folder), study, folder, folder / "match")
    write_experience(run_experience(study, folder), study, folder, folder / "experience")
    return folder


class _Page(HTMLParser):
    """A page, in which every element that opens must close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.outside: list[str] = []
        self.folded_tables = 0
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.outside += [value or "" for name, value in attrs if name in ("src", "href") and value and value[0] != "#"]
        self.folded_tables += tag == "table" and "details" in self.open
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("verb", VERBS)
def test_one_page_without_scripts_holds_all_pictures(folder: Path, verb: str) -> None:
    text = (folder / verb / "report.html").read_text(encoding="utf-8")
    page = _Page(text)
    results = read_results(folder / verb, verb)
    pictures = [each for each in results.files if each.file.endswith(".svg")]
    assert len(pictures) > 0 and "script" not in page.seen
    drawn = [(folder / verb / each.file).read_bytes() for each in pictures]
    assert page.outside == [f"data:image/svg+xml;base64,{b64encode(svg).decode()}" for svg in drawn]
    assert "svg" not in page.seen and f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">' in text
    assert "color-scheme:light dark" in text and "prefers-color-scheme:dark" in text
    assert all(f'alt="{escape(each.title)}"' in text for each in pictures)
    assert page.seen.count("h1") == 1


@pytest.mark.parametrize("verb", VERBS)
def test_three_formats_hold_the_same_tables(folder: Path, verb: str) -> None:
    markdown, html, latex = (
        (folder / verb / name).read_text(encoding="utf-8") for name in ("report.md", "report.html", "tables.tex")
    )
    number = len(re.findall(r"^\| (?:---|---:) \|", markdown, flags=re.M))
    assert number == html.count("<table") == latex.count(r"\begin{tabular}") == latex.count(r"\end{table}") > 1
    assert "\n\n\n" not in markdown and markdown.startswith("# ") and "## Left out, and why" in markdown
    for line in re.findall(r"^## (.*)$", markdown, flags=re.M):
        assert f">{escape(line)}</h2>" in html


@pytest.mark.parametrize("verb", VERBS)
def test_result_json_names_every_file(folder: Path, verb: str) -> None:
    results = read_results(folder / verb, verb)
    told = {each.file for each in results.files}
    there = {path.name for path in (folder / verb).iterdir() if path.suffix in (".md", ".html", ".tex", ".csv", ".svg")}
    assert told == there
    markdown = (folder / verb / "report.md").read_text(encoding="utf-8")
    assert results.sentences and all(f"- {line}\n" in markdown for line in (*results.sentences, *results.notes))
    assert set(results.provenance["data"]) == {"chats.csv", "gold.csv"}


def test_the_headline_comes_first_and_long_tables_are_folded(folder: Path) -> None:
    markdown = (folder / "relate" / "report.md").read_text(encoding="utf-8")
    titles = re.findall(r"^##+ (.*)$", markdown, flags=re.M)
    rating = [
        "rating: ordinal", "rating: in ratings", "Average marginal effects", "rating: checks", "Proportional odds",
        "Who gave an outcome", "What the tagger adds to the gold chats", "Errors of the tagger by outcome",
        "rating: other models", "linear",
    ]  # fmt: skip
    assert titles[: len(rating)] == rating
    header = markdown.partition("## Models\n")[2].strip().splitlines()[0]
    assert "outcome" in header and "design" not in header, "no column that is empty"
    assert "mood: before and after" in titles and titles[-3:] == ["Models", "Left out, and why", "Record"]
    page = _Page((folder / "relate" / "report.html").read_text(encoding="utf-8"))
    # Open are those of both headlines, of change, and of the models.
    assert page.seen.count("table") - page.folded_tables == 4


def test_predicted_ratings_say_that_they_are_not_corrected(folder: Path) -> None:
    predicted = [each for each in read_results(folder / "relate", "relate").files if each.kind == "predicted"]
    assert len(predicted) == 2
    for each in predicted:
        assert each.title.endswith("on the tagger's codes, not corrected")
        picture = (folder / "relate" / each.file).read_text(encoding="utf-8")
        assert "On the tagger's codes, not corrected</text>" in picture.replace("&#x27;", "'").replace("&apos;", "'")


@pytest.mark.parametrize("verb", ["match", "experience"])
def test_what_gold_chats_do_not_correct_is_said(folder: Path, verb: str) -> None:
    said = read_results(folder / verb, verb).sentences
    assert (
        sum("Codes are the tagger's, and gold chats (label_error) do not correct them here" in each for each in said)
        == 1
    )


def test_notes_stand_below_the_scrolled_table(folder: Path) -> None:
    html = (folder / "relate" / "report.html").read_text(encoding="utf-8")
    headline = html.partition('<h2 id="part-0-title">')[2].partition("</section>")[0]
    table, end, notes = headline.partition("</table></div>")
    few = '<p class="note">Between, naive: 48 clusters, but in effect only 8.1 for EA (between), 11.4 for REF (between)'
    assert end and notes.startswith(few) and 'class="note"' not in table
    assert '<p class="note">Between: uncorrected' in notes


def _rows(folder: Path, title: str) -> list[list[str]]:
    """Cells of the first table after a title of the report, without its header."""
    markdown = (folder / "relate" / "report.md").read_text(encoding="utf-8")
    lines = [line for line in markdown.partition(f"# {title}\n")[2].splitlines()]
    start = next(i for i, line in enumerate(lines) if line.startswith("| ---"))
    table = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_marginal_effects_are_those_of_the_csv(folder: Path) -> None:
    csv = pd.read_csv(folder / "relate" / "marginal_effects_rating.csv")
    first = _rows(folder, "Average marginal effects")[0]
    rows = csv[csv["term"] == "REF (within)"].set_index("rating")
    assert first[:2] == ["Reflection (REF)", "within"]
    mean, se = rows.loc["mean", ["effect", "se"]]
    shown = [float(each) for each in re.findall(r"-?\d+\.\d+", first[2])]
    reach = stats.t.ppf(0.975, rows.loc["mean", "df"]) * se
    assert np.allclose(shown, [mean, mean - reach, mean + reach], atol=0.006)
    assert [float(cell) for cell in first[3:]] == pytest.approx(100 * rows["effect"][:-1], abs=0.051)
    assert first[-1][0] in "+-" and abs(sum(float(cell) for cell in first[3:])) < 0.3


def test_checks_are_those_of_the_csv(folder: Path) -> None:
    odds = pd.read_csv(folder / "relate" / "proportional_odds_rating.csv")
    rows = _rows(folder, "Proportional odds")
    assert [row[0] for row in rows] == ["Reflection (REF)", "Emphasizing autonomy (EA)"] * 2 + ["client_age"]
    assert float(rows[0][2].split()[0]) == pytest.approx(np.exp(odds["slope"][0]), abs=0.006)
    gaps = pd.read_csv(folder / "relate" / "response_rating.csv").set_index("name")
    age = next(row for row in _rows(folder, "Who gave an outcome") if row[0] == "client_age")
    assert [float(cell) for cell in age[2:]] == pytest.approx(list(gaps.loc["client_age"]), abs=0.0051)
    errors = pd.read_csv(folder / "relate" / "error_by_outcome_rating.csv")
    found = _rows(folder, "Errors of the tagger by outcome")
    assert int(found[0][2]) == errors["n"][0]
    assert float(found[0][1].split()[0]) == pytest.approx(errors["found_per_true"][0], abs=0.006)
    report = (folder / "relate" / "report.md").read_text(encoding="utf-8")
    assert "| technique | found per true message, lower half |" in report
    assert "Found per true message is not recall" in report and "recall, lower half" not in report
    assert "![Messages that the tagger finds per true message, by rating](" in report


def test_changes_of_symptoms_are_no_effect_of_the_chats(folder: Path) -> None:
    text = (folder / "relate" / "report.md").read_text(encoding="utf-8")
    section = text.partition("## mood: before and after\n")[2].partition("\n## ")[0]
    caption, note = section.strip().splitlines()[0], section.strip().splitlines()[-1]
    assert caption == (
        "Changes are after minus before: below 0 is fewer symptoms. Counts and means of these chats, without intervals"
    )
    assert note == (
        "No effect of the chats: clients with high scores before tend to score lower after without any help "
        "(regression to the mean), and there is no group without chats."
    )


def test_what_experience_is_stands_in_tables_and_pictures(folder: Path) -> None:
    markdown = (folder / "experience" / "report.md").read_text(encoding="utf-8")
    said = "Rate ratios per doubling of 1 + experience (earlier chats), with 95% intervals"
    slopes = markdown.partition("## Slopes\n")[2].partition("\n## ")[0]
    assert said in slopes
    assert "Experience: earlier chats</text>" in (folder / "experience" / "curves_ref.svg").read_text(encoding="utf-8")


def test_classes_of_change_and_effect_sizes(folder: Path) -> None:
    csv = pd.read_csv(folder / "relate" / "change_mood.csv").set_index("what")
    rows = {row[0]: row[1:] for row in _rows(folder, "mood: before and after")}
    assert rows["chats with both scores"] == [str(int(csv.loc["chats with both scores", "value"])), "100.0%", ""]
    classes = ["reliable improvement", "no reliable change", "reliable deterioration", "reliably recovered"]
    assert sum(int(rows[name][0]) for name in classes) == int(rows["chats with both scores"][0])
    assert csv.loc[classes, "percent"].sum() == pytest.approx(100)
    number, _, of_cases = rows["reliably recovered"]
    cases = int(rows["cases before (score of 10 or more)"][0])
    assert int(number) <= cases and of_cases == f"{100 * int(number) / cases:.1f}%"
    report = (folder / "relate" / "report.md").read_text(encoding="utf-8")
    assert "\n\nReliably recovered: a case before" in report
    assert "The recovery rate of NHS Talking Therapies is another figure: of all who were cases before" in report
    assert rows["mean change"][1] == "" and "d_av: mean change / root of the mean of both variances" in rows


def test_texts_and_names_are_quoted(tmp_path: Path) -> None:
    hostile = "<b>a & b</b> 100 % _x_"
    study = study_of({"data": {"counts": "none"}, "outcomes": [{"name": "r", "type": "rating"}]})
    (tmp_path / "none").write_text("")
    table = Table(pd.DataFrame({hostile: [hostile]}), hostile, hostile, notes=[hostile], folded=True)
    document = Document("relate", hostile, (hostile,), [Section(hostile, [table])], (hostile,), {"x": table.frame})
    write_document(document, study, tmp_path, tmp_path / "out")
    html, latex = ((tmp_path / "out" / name).read_text() for name in ("report.html", "tables.tex"))
    assert "<b>" not in html and html.count("&lt;b&gt;a &amp; b") >= 8
    assert r"100 \% \_x\_" in latex and not re.search(r"(?<!\\)[%&_]", latex.replace(" & ", ""))
    assert "## Record" not in to_markdown(document)


def test_markdown_takes_no_name_for_marks_or_tags(tmp_path: Path) -> None:
    hostile = "stars</style>\n<script>alert(1)</script> ](https://evil.example) [x] `code` *a* | _b_ &lt;"
    study = study_of({"data": {"counts": "none"}, "outcomes": [{"name": "r", "type": "rating"}]})
    (tmp_path / "none").write_text("")
    picture = Picture(Figure(), "forest", "forest", hostile)
    section = Section(hostile, [picture, Table(pd.DataFrame({"a": [1]}), hostile)])
    document = Document("relate", hostile, (hostile,), [section], (hostile,), {})
    write_document(document, study, tmp_path, tmp_path / "out")
    written = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    text = r"stars\</style> \<script>alert(1)\</script> ]\(https://evil.example) [x] \`code\` \*a\* \| \_b\_ \&lt;"
    for line in (f"# {text}", f"## {text}", f"### {text}", f"- {text}"):
        assert f"\n{line}\n" in f"\n{written}"
    assert written.partition("## Left out")[2].count(text) == 1
    title = re.sub(r"([\[\]])", r"\\\1", text)
    assert f"![{title}](forest.svg)" in written
    assert not re.search(r"(?<!\\)</?[a-z]", written.partition("## Record")[0])
    assert to_markdown(document).startswith(f"# {text}\n")


@pytest.mark.parametrize("name", ["stars " * 50, "気分" * 150, "𝒳" * 300])
def test_long_names_of_outcomes_have_files(folder: Path, tmp_path: Path, name: str) -> None:
    sides = {"before": "phq9_pre", "after": "phq9_post"}
    given = {"type": "symptom", "scale": "PHQ-9", "models": ["linear"], **sides}
    outcomes = [{"name": name + each, **given} for each in ("a", "b")]
    study = study_of({**STUDY, "outcomes": outcomes, "label_error": {}})
    write_result(study.fit(folder), folder, tmp_path / "out")
    results = read_results(tmp_path / "out", "relate")
    files = [each.file for each in results.files]
    assert len(set(files)) == len(files) and all((tmp_path / "out" / file).is_file() for file in files)
    assert max(len(path.name.encode()) for path in (tmp_path / "out").iterdir()) < 130
    assert sum(each.kind == "forest" for each in results.files) == 2


def _coded(*messages: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(message.split()) for message in messages)


def test_quality_of_merged_codes_is_that_of_their_union() -> None:
    tagged = {"a": _coded("OQ", "CQ", "REF", "OQ CQ", "REF")}
    gold = {"a": _coded("CQ", "CQ", "OQ", "REF", "REF")}
    quality = tagger_quality(tagged, gold, {"Question": ("OQ", "CQ")})
    assert quality is not None
    rows = quality.set_index("code")
    # Found in messages 1, 2 and 4, true in 1, 2 and 3.
    assert rows.loc["Question", ["precision", "recall", "f1", "support"]].tolist() == pytest.approx([2 / 3] * 3 + [3])
    assert rows.loc["OQ", "f1"] == 0 and rows.loc["CQ", "f1"] == 0.5
    assert tagger_quality(tagged, {"b": gold["a"]}) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "a table of counts (data.counts, label_error.counts)"),
        ({"data": {"chats": ["a"]}}, "a table of counts (label_error.counts)"),
        ({"data": {"chats": ["a"]}, "label_error": {"gold": ["b"]}}, "no chat has the codes of each message"),
    ],
)
def test_why_there_is_no_quality(change: dict[str, Any], said: str) -> None:
    assert said in no_quality(study_of({**STUDY, **change}))


def test_a_note_says_why_counts_have_no_quality(folder: Path) -> None:
    notes = read_results(folder / "relate", "relate").notes
    assert sum("The tagger's F1 for each code is not shown" in note for note in notes) == 1


def test_recall_by_outcome_is_that_of_the_tagger_on_messages(
    tmp_path: Path, tagged_chats: Callable[[Path], Study]
) -> None:
    found = tagged_chats(tmp_path).fit(tmp_path)
    quality = found.tables["tagger"].set_index("code")
    [errors] = [table for name, table in found.tables.items() if name.startswith("error by outcome")]
    for code, rows in errors.groupby("code"):
        assert rows["n"].sum() == quality.loc[code, "support"]
        assert (rows["recall"] * rows["n"]).sum() == pytest.approx(quality.loc[code, "recall"] * rows["n"].sum())
    write_result(found, tmp_path, tmp_path / "out")
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "| technique | recall, lower half |" in report and "![The tagger's recall, by " in report


def test_merged_codes_have_a_quality_in_the_tidy_table(tmp_path: Path, tagged_chats: Callable[[Path], Study]) -> None:
    rows = tagged_chats(tmp_path).fit(tmp_path).tidy(model="linear")
    merged = rows[rows["code"] == "Any"]
    assert len(merged) == 3 and merged["f1"].between(0.6, 1, inclusive="neither").all()
    assert (merged["support"] > 500).all()


@pytest.fixture
def tagged_chats() -> Callable[[Path], Study]:
    """Writes chats with codes of each message, and gold codes of half of them, and gives their study."""
    import json

    def write(folder: Path) -> Study:
        random = np.random.default_rng(4)
        codes = ["OQ", "REF", "SU", "OT"]
        files: dict[str, list[dict[str, Any]]] = {"t.jsonl": [], "g.jsonl": []}
        for number in range(160):
            true = random.choice(codes, 14, p=random.dirichlet([1.0] * len(codes)))
            found = np.where(random.random(14) < 0.8, true, random.choice(codes, 14))
            name = {"conversation_id": f"c{number}"}
            said = [{"role": "counselor", "text": f"m{number}-{i}"} for i in range(14)]
            told = {"counselor_id": f"p{number % 20}", "rating": int(random.integers(1, 6))}
            files["t.jsonl"].append(
                {
                    **name,
                    **told,
                    "messages": [m | {"codes": [c], "scores": {c: 0.9}} for m, c in zip(said, found, strict=True)],
                }
            )
            if number % 2:
                files["g.jsonl"].append(
                    {**name, "messages": [m | {"gold": {"codes": [c]}} for m, c in zip(said, true, strict=True)]}
                )
        for file, records in files.items():
            (folder / file).write_text("".join(json.dumps(record) + "\n" for record in records))
        return study_of(
            {
                "data": {"chats": ["t.jsonl"]},
                "outcomes": [{"name": "rating", "type": "rating", "models": ["linear"]}],
                "techniques": {"codes": ["Any", "SU"], "merge": {"Any": ["OQ", "REF"]}, "within_between": False},
                "label_error": {"gold": ["g.jsonl"]},
            }
        )

    return write


@pytest.mark.parametrize(
    ("names", "stems"),
    [(("тревога", "депрессия"), ("тревога", "депрессия")), (("low (PHQ)", "low PHQ"), ("low_phq", "low_phq-2"))],
)
def test_every_outcome_has_its_own_files(
    folder: Path, tmp_path: Path, names: tuple[str, ...], stems: tuple[str, ...]
) -> None:
    sides = (("phq9_pre", "phq9_post"), ("phq9_post", "phq9_pre"))
    given = {"type": "symptom", "scale": "PHQ-9", "models": ["linear"]}
    outcomes = [
        {"name": name, "before": before, "after": after, **given}
        for name, (before, after) in zip(names, sides, strict=True)
    ]

    def write(outcomes: list[dict[str, Any]]) -> Any:
        study = study_of({**STUDY, "outcomes": outcomes, "label_error": {}})
        result = study.fit(folder)
        write_result(result, folder, tmp_path / "out")
        return result

    result = write(outcomes)
    files = {(each.kind, each.title): each.file for each in read_results(tmp_path / "out", "relate").files}
    pictures = []
    for name, stem in zip(names, stems, strict=True):
        assert files["table", f"change: {name}"] == f"change_{stem}.csv"
        change = pd.read_csv(tmp_path / "out" / f"change_{stem}.csv")
        assert change["value"].tolist() == pytest.approx(result.tables[f"change: {name}"]["value"].tolist())
        assert files["forest", f"{name}: linear"] == f"forest_{stem}.svg"
        pictures.append((tmp_path / "out" / f"forest_{stem}.svg").read_text(encoding="utf-8"))
        assert (tmp_path / "out" / f"forest_{stem}.png").is_file()
    assert pictures[0] != pictures[1]
    markdown = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert [f"(forest_{stem}.svg)" in markdown for stem in stems] == [True, True]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert len(set(re.findall(r'<img src="([^"]*)"', page))) == 2
    write(outcomes[:1])
    left = {path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(("forest", "change"))}
    assert left == {f"change_{stems[0]}.csv", f"forest_{stems[0]}.svg", f"forest_{stems[0]}.png"}


def test_stems_of_plain_names_are_lower_case_with_underscores() -> None:
    assert stem_of("error by outcome: Low__mood (PHQ-9)") == "error_by_outcome_low_mood_phq_9"
    assert stem_of("predicted: Stimmung früher, 気分") == "predicted_stimmung_früher_気分"
