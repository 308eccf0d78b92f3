"""The page: what stands in it, that it keeps texts to itself, and that a browser could read it without a network."""

import re
import sys
from base64 import b64decode
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mi_coder.cli.report import command
from mi_coder.errors import UsageProblem
from mi_coder.formats.results import NAME, ResultFile, Results, encoded
from mi_coder.report.charts import Dot, dots
from mi_coder.report.sections import FIGURES_OF_PICTURES
from tests.report_chats import SECRET, write_chats

VOID = {"meta", "link", "img", "br", "hr", "input"}


def _run(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(command, [str(folder / "t.jsonl"), "-o", str(folder / "r.html"), *options])


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if "href" in given else []
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_holds_all_sections_and_no_text(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    done = _run(tmp_path, "--counselor", "counselor_id", "--time", "at")
    assert done.exit_code == 0, done.output
    html = (tmp_path / "r.html").read_text()
    for title in ("Overview", "Use of codes", "Counselors", "Counselors over time", "Order in chats", "Quality"):
        assert title in html
    assert SECRET not in html and "<script" not in html and "<b>k0" not in html and "&lt;b&gt;k0" in html
    assert "24 (20.0%)" in html
    parsed = _Balanced()
    parsed.feed(html)
    assert not parsed.open and len(parsed.ids) == len(set(parsed.ids))
    assert all(link.startswith("#") and link[1:] in parsed.ids for link in parsed.links)
    assert not re.search(r"(?:https?:)?//", "".join(parsed.addresses)) and "@import" not in html and "url(" not in html
    assert html.count('role="img"') == html.count("<svg") and "aria-label" in html


def test_texts_only_when_asked(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    assert _run(tmp_path, "--include-text").exit_code == 0
    assert SECRET in (tmp_path / "r.html").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
def test_a_page_with_texts_is_no_more_open_than_the_chats(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    (tmp_path / "t.jsonl").chmod(0o600)
    (tmp_path / "plain").touch()
    modes = []
    for options in ([], ["--include-text"]):
        assert _run(tmp_path, *options).exit_code == 0
        modes.append((tmp_path / "r.html").stat().st_mode & 0o777)
        (tmp_path / "r.html").unlink()
    assert modes == [(tmp_path / "plain").stat().st_mode & 0o777, 0o600]


def test_validated_chats_show_the_quality_and_mend_the_figures(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl", gold=True)
    assert _run(tmp_path, "--validation", str(tmp_path / "t.jsonl")).exit_code == 0
    html = (tmp_path / "r.html").read_text()
    assert "corrected for the tagger" in html and "Reflection: F1 0.909 [" in html


def test_outcomes_of_a_folder(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.md").write_text("# T\n- These are associations.\n")
    without = _run(tmp_path, "--outcomes", str(out)).exception
    assert isinstance(without, UsageProblem) and "run mi-code relate again" in str(without)
    (out / "forest_rating.svg").write_text('<?xml version="1.0"?><svg id="forest"></svg>')
    found = Results(
        verb="relate",
        sentences=("These are <associations>.",),
        notes=("rating, linear: left out",),
        provenance={},
        files=(
            ResultFile(file="forest_rating.svg", kind="forest", title="rating: ordinal"),
            ResultFile(file="predicted.svg", kind="predicted", title="not this"),
        ),
    )
    (out / NAME).write_bytes(encoded(found))
    assert _run(tmp_path, "--outcomes", str(out)).exit_code == 0
    html = (tmp_path / "r.html").read_text()
    assert pictures_of(html) == [(ALT, (out / "forest_rating.svg").read_bytes())]
    assert f'<p class="note">{FIGURES_OF_PICTURES}</p>' in html
    assert "These are &lt;associations&gt;." in html and "not this" not in html
    assert "<h3>rating: ordinal</h3>" in html and "rating, linear: left out" in html


ALT = "Effects of each technique with intervals, rating: ordinal"


def pictures_of(html: str) -> list[tuple[str, bytes]]:
    """Titles and contents of the images of a page, all of which are SVG that stands in it."""
    images = re.findall(r"<img[^>]*>", html)
    found = [re.fullmatch(r'<img src="data:image/svg\+xml;base64,([^"]*)" alt="([^"]*)">', each) for each in images]
    assert all(found)
    return [(unescape(each[2]), b64decode(each[1], validate=True)) for each in found if each]


def results_with(folder: Path, file: str) -> Path:
    """A folder with results that name a picture."""
    folder.mkdir()
    picture = ResultFile(file=file, kind="forest", title="rating: ordinal")
    results = Results(verb="relate", sentences=(), notes=(), provenance={}, files=(picture,))
    (folder / NAME).write_bytes(encoded(results))
    return folder


def test_nothing_in_a_picture_of_strangers_runs(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    out = results_with(tmp_path / "out", "forest.svg")
    evil = """<svg onload="alert(1)"><script>fetch('https://evil.example/')</script></svg><img src=x onerror=a()>"""
    (out / "forest.svg").write_text(evil)
    assert _run(tmp_path, "--outcomes", str(out), "--include-text").exit_code == 0
    html = (tmp_path / "r.html").read_text()
    assert pictures_of(html) == [(ALT, evil.encode())]
    assert not any(word in html for word in ("<script", "onload", "onerror", "evil.example"))


def test_a_browser_is_told_to_run_and_to_load_nothing(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    assert _run(tmp_path).exit_code == 0
    head = (tmp_path / "r.html").read_text().partition("<title>")[0]
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', head)
    assert [part.strip() for part in policy.split(";")] == [
        "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["../evil.svg", "sub/evil.svg", "/etc/hostname", "link.svg", "..", "", "a.svg", "\0"])
def test_pictures_are_files_of_the_folder_alone(tmp_path: Path, name: str) -> None:
    write_chats(tmp_path / "t.jsonl")
    out = results_with(tmp_path / "out", name)
    (out / "sub").mkdir()
    for path in (tmp_path / "evil.svg", out / "sub" / "evil.svg"):
        path.write_text("<svg></svg>")
    (out / "link.svg").symlink_to(tmp_path / "evil.svg")
    problem = _run(tmp_path, "--outcomes", str(out)).exception
    assert isinstance(problem, UsageProblem) and "which is no file in this folder" in str(problem)
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"verb": "match", "sentences": [], "notes": [], "provenance": {}, "files": []}', "results of mi-code match"),
        ('{"verb": "relate"}', "cannot be read"),
        ("{", "cannot be read"),
    ],
)
def test_a_result_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    write_chats(tmp_path / "t.jsonl")
    (tmp_path / "result.json").write_text(text)
    problem = _run(tmp_path, "--outcomes", str(tmp_path)).exception
    assert isinstance(problem, UsageProblem) and said in str(problem) and "mi-code relate" in str(problem)


@pytest.mark.parametrize(
    ("option", "fix"),
    [
        ("--validation", "mi-code tag"),
        ("--agreement", "mi-code agreement CODES... --as json"),
        ("--outcomes", "mi-code relate"),
    ],
)
def test_what_is_not_there_is_named_with_what_makes_it(tmp_path: Path, option: str, fix: str) -> None:
    write_chats(tmp_path / "t.jsonl")
    problem = _run(tmp_path, option, str(tmp_path / "nothere")).exception
    assert isinstance(problem, UsageProblem) and "nothere" in str(problem) and fix in str(problem)


def test_a_field_that_is_not_there_and_a_page_that_is(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    assert "no conversation has the field 'who'" in str(_run(tmp_path, "--counselor", "who").exception).lower()
    (tmp_path / "r.html").write_text("mine")
    assert isinstance(_run(tmp_path).exception, UsageProblem)
    assert (tmp_path / "r.html").read_text() == "mine"
    assert _run(tmp_path, "--force").exit_code == 0


def test_pictures_keep_their_marks_inside() -> None:
    drawn = dots([Dot("a", 0.2, 0.1, 0.37, "a"), Dot("b", 0.05, None, None, "b")], "shares")
    layouts = drawn.split("</svg>")[:-1]
    assert ['class="broad"' in layouts[0], 'class="narrow"' in layouts[1], len(layouts)] == [True, True, 2]
    for each in layouts:
        width = float(each.split('viewBox="0 0 ')[1].split()[0])
        assert each.count("<circle") == 2 and each.count('class="mark" x1') == 1
        assert all(float(x) <= width for x in re.findall(r'(?:x2|cx)="([\d.]+)"', each))


def test_counselors_of_any_kind_are_counted_as_they_are_grouped(tmp_path: Path) -> None:
    path = write_chats(tmp_path / "t.jsonl")
    path.write_text(path.read_text().replace('"<b>k1"', '["k1", 2]').replace('"<b>k0"', '{"k": 0}', 1))
    assert _run(tmp_path, "--counselor", "counselor_id").exit_code == 0
    page = unescape((tmp_path / "r.html").read_text())
    assert re.search(r"<th[^>]*>counselors</th><td[^>]*>3</td>", page)


@pytest.mark.parametrize("number", [1, 4])
def test_few_chats_have_no_intervals(tmp_path: Path, number: int) -> None:
    write_chats(tmp_path / "t.jsonl", number)
    assert _run(tmp_path, "--counselor", "counselor_id", "--time", "at").exit_code == 0
    assert 'class="mark" x1' not in (tmp_path / "r.html").read_text()
