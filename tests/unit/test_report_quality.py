"""The tagger's quality on the page: every code with its interval, people beside it, and probabilities."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from mi_coder.annotation.agreement import Agreement
from mi_coder.annotation.agreement_report import AgreementReport, Group
from mi_coder.batch.counts import Counts
from mi_coder.batch.journal import Fingerprint
from mi_coder.batch.meta import Meta
from mi_coder.codebook import Codebook
from mi_coder.evaluation.human import HUMAN_ALPHA
from mi_coder.evaluation.report import Figure
from mi_coder.evaluation.run import Request, evaluate_files
from mi_coder.report import quality
from mi_coder.report.build import ReportOptions, build_report
from mi_coder.tagger.model import BUNDLED, unchecked_model
from tests.report_chats import SECRET, write_chats

IDS = Codebook.load().ids


def _section(folder: Path, **options: object) -> str:
    html = build_report([str(folder / "t.jsonl")], ReportOptions(**options))  # type: ignore[arg-type]
    return html[html.index('<section id="tagger"') :].partition("</section>")[0]


def _row(body: str, code: str) -> str:
    name = next(each.name for each in Codebook.load().codes if each.id == code)
    return re.search(rf'<tr><th scope="row">{name}</th><td>{code}</td>.*?</tr>', body)[0]  # type: ignore[index]


def _write(path: Path, *messages: tuple[str, str, float | None]) -> None:
    """A chat per message: the tagger's code, gold's, and the probability."""
    with path.open("w") as file:
        for i, (given, gold, score) in enumerate(messages):
            message = {"role": "counselor", "text": SECRET, "codes": [given], "gold": {"codes": [gold]}}
            message |= {} if score is None else {"scores": {given: score}}
            file.write(json.dumps({"conversation_id": f"c{i}", "messages": [message]}) + "\n")


def test_figures_are_those_of_an_evaluation(tmp_path: Path) -> None:
    path = write_chats(tmp_path / "t.jsonl", gold=True)
    body = _section(tmp_path, validation=str(path))
    report = evaluate_files(Request(gold=path, tagged=path, seen="allow"))
    scores = {row.score.code: row.score for row in report.rows}
    for code in ("OQ", "REF", "SU"):
        one = scores[code]
        assert f"{one.f1:.3f} [{one.f1_low:.3f}, {one.f1_high:.3f}]" in _row(body, code)
        assert f'<td class="n">{one.positives}</td>' in _row(body, code)
    assert (
        f"{HUMAN_ALPHA['OQ']:.2f}" in _row(body, "OQ")
        and "Shah et al. 2022, on other chats; another scale than F1." in body
    )
    assert "Review: 0.200 [" in body and "Mean F1 of the 5 codes" in body


def test_no_code_is_left_out(tmp_path: Path) -> None:
    _write(tmp_path / "t.jsonl", *[("OQ", "OQ", 0.9)] * 25, *[("SU", "CO", 0.6)] * 3)
    body = _section(tmp_path, validation=str(tmp_path / "t.jsonl"))
    assert all(f"<td>{code}</td>" in body for code in IDS)
    assert "Never found correctly: Confront." in body
    assert "0.000" in _row(body, "CO") and "never found correctly; too few to be sure" in _row(body, "CO")
    assert "not in gold: unknown" in _row(body, "SU") and "SU (given 3 times)" in body
    assert "too few" not in _row(body, "OQ")
    broad = body[body.index("<svg") :].partition("</svg>")[0]
    assert broad.count("<title>") == 2 and broad.count("mark hollow") == 1
    assert SECRET not in body


def test_calibration_bin_by_bin(tmp_path: Path) -> None:
    right, wrong = ("OQ", "OQ", 0.75), ("OQ", "SU", 0.75)
    _write(tmp_path / "t.jsonl", *[right] * 10, *[wrong] * 30, *[("SU", "SU", 0.98)] * 5)
    body = _section(tmp_path, validation=str(tmp_path / "t.jsonl"))
    assert "70% to 80%, 40" in body and "Stated 75%, right 25.0% [" in body and "90% to 100%, 5" in body
    error = (40 * 0.5 + 5 * 0.02) / 45
    assert f"Expected calibration error of the given codes: {error:.3f}" in body
    assert '<th scope="row">70% to 80%</th><td class="n">40</td><td>75.0%</td><td>25.0% [' in body


def test_without_probabilities_the_page_says_so(tmp_path: Path) -> None:
    _write(tmp_path / "t.jsonl", *[("OQ", "OQ", None)] * 8)
    body = _section(tmp_path, validation=str(tmp_path / "t.jsonl"))
    assert "has no probabilities" in body and "--scores" in body and "calibration error" not in body


def _agreement(by: str, given: int = 50) -> AgreementReport:
    row = Agreement("OQ", 100, given, given / 200, given, Figure(0.321, 0.2, 0.4))
    return AgreementReport(by, (Group("" if by == "all" else "a and b", 100, 9, 0.5, (row,)),), 10, 1)  # type: ignore[arg-type]


def test_own_coders_stand_beside_where_their_agreement_is_given(tmp_path: Path) -> None:
    path = write_chats(tmp_path / "t.jsonl", gold=True)
    (tmp_path / "a.json").write_text(_agreement("all").render("json"))
    body = _section(tmp_path, validation=str(path), agreement=tmp_path / "a.json")
    assert "0.32" in _row(body, "OQ") and f"{HUMAN_ALPHA['SU']:.2f}" not in _row(body, "SU")
    assert "coders of these chats" in body and "on other chats than these" not in body


@pytest.mark.parametrize("report", [None, _agreement("pair"), _agreement("all", given=2)])
def test_agreement_of_pairs_or_of_few_is_no_yardstick(report: AgreementReport | None) -> None:
    assert quality.people_of(report) is None


def _sidecar(path: Path, digests: dict[str, str]) -> None:
    meta = Meta("1", "some model 9", Codebook.load().hash, list(IDS), Fingerprint({}, digests, {}), Counts())
    path.with_name("t.meta.json").write_bytes(msgspec.json.encode(meta))


def test_unchecked_chats_have_the_model_s_own_figures_by_name(tmp_path: Path) -> None:
    write_chats(tmp_path / "t.jsonl")
    assert "On other chats" not in _section(tmp_path)
    _sidecar(tmp_path / "t.jsonl", {"model.onnx": "another"})
    assert "On other chats" not in _section(tmp_path) and "some model 9" in _section(tmp_path)
    _sidecar(tmp_path / "t.jsonl", unchecked_model(BUNDLED).digests)
    body = _section(tmp_path)
    assert "Nobody has checked it on these chats" in body and "<h3>On other chats</h3>" in body
    assert "on the test part" in body and "F1 0." in body and "<td>OQ</td>" in body
