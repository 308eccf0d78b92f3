"""What figures show, read from their parts; that they are written alike each time and without a display."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from mi_coder.codebook import Codebook
from mi_coder.errors import UsageProblem
from mi_coder.outcomes import figures
from mi_coder.outcomes.balance import Balance, CovariateBalance, Gap
from mi_coder.outcomes.propensity import Propensity

LONG = ("restatement or paraphrasing and simple reflection", "a_merged_code_of_several_techniques_with_a_long_name")
CODES = (*(code.id for code in Codebook.load().codes[:18]), *LONG)
CORRECTIONS = ("naive", "gold", "ptd")
UNIT = "odds ratio per 10 percentage points of counselor messages"


def tidy(
    codes: tuple[str, ...] = CODES,
    levels: tuple[str, ...] = ("within", "between"),
    corrections: tuple[str, ...] = CORRECTIONS,
    unit: str = UNIT,
    sd: float = 0.2,
) -> pd.DataFrame:
    random = np.random.default_rng(1)
    rows = [(code, level, correction) for code in codes for level in levels for correction in corrections]
    frame = pd.DataFrame(rows, columns=["code", "level", "correction"])
    estimate, se = sd * random.normal(size=len(rows)), sd * random.uniform(0.3, 2, len(rows))
    scale = np.exp if "ratio" in unit else np.asarray
    frame["effect"], frame["effect_low"], frame["effect_high"] = (
        scale(each) for each in (estimate, estimate - 2 * se, estimate + 2 * se)
    )
    return frame.assign(q_bh=random.uniform(0, 0.2, len(rows)), unit=unit, design="")


def predictions(levels: int = 5) -> pd.DataFrame:
    shares = np.linspace(0, 30, 9)
    return pd.DataFrame(
        [
            {"share": share, "level": level, "probability": p, "low": max(p - 0.05, 0), "high": p + 0.05}
            for level in range(1, levels + 1)
            for share in shares
            for p in [1 / levels + 0.002 * (level - levels / 2) * share / levels]
        ]
    )


def covariates(count: int = 12) -> Balance:
    random = np.random.default_rng(2)
    names = (*LONG, *(f"covariate {i}" for i in range(count - 2)))
    gaps = [CovariateBalance(n, *(Gap(float(s), 1.0, 0.1) for s in random.normal(0, [0.4, 0.05]))) for n in names]
    return Balance(tuple(gaps), 0.1)


def scores(rows: int = 400) -> tuple[Propensity, np.ndarray]:
    random = np.random.default_rng(3)
    logit = random.normal(size=rows)
    return Propensity(("x",), np.zeros(2), logit, 0.7, 0.0), random.random(rows) < 1 / (1 + np.exp(-logit))


def curves() -> tuple[pd.DataFrame, pd.DataFrame]:
    lines = [(f"counselor {i}", float(t), 0.1 + 0.01 * i + 0.002 * t) for i in range(12) for t in range(1 + 3 * i)]
    at = np.arange(40.0)
    ends = {"low": 0.08 + 0.002 * at, "high": 0.3 + 0.004 * at}
    fit = pd.DataFrame({"experience": at, "share": 0.1 + 0.003 * at, **ends})
    return pd.DataFrame(lines, columns=["counselor", "experience", "share"]), fit


def recalls() -> pd.DataFrame:
    random = np.random.default_rng(4)
    rows = [
        (code, half, r, max(r - 0.1, 0), min(r + 0.1, 1))
        for code in CODES
        for half in ("lower", "upper")
        for r in [random.random()]
    ]
    frame = pd.DataFrame(rows, columns=["code", "stratum", "recall", "low", "high"])
    frame.loc[0, ["recall", "low", "high"]] = 0
    frame.loc[1, ["recall", "low", "high"]] = 1
    frame.loc[4, ["low", "high"]] = np.nan
    return frame


ALL: dict[str, Callable[[], Figure]] = {
    "forest": lambda: figures.forest(tidy()),
    "forest of points": lambda: figures.forest(tidy(CODES[:5], ("",), unit="points per 10 percentage points")),
    "forest of long names": lambda: figures.forest(tidy(tuple(f"{LONG[0]} {i}" for i in range(20)))),
    "forest of long names, uncorrected": lambda: figures.forest(
        tidy(tuple(f"{LONG[0]} {i}" for i in range(20)), ("",), ("",))
    ),
    "forest of one": lambda: figures.forest(tidy(CODES[:1], ("",), ("",))),
    "predicted": lambda: figures.predicted_ratings(predictions()),
    "love": lambda: figures.love_plot(covariates()),
    "overlap": lambda: figures.overlap(*scores()),
    "experience": lambda: figures.experience_curves(*curves(), title="Affirm (AF)"),
    "experience without fit": lambda: figures.experience_curves(curves()[0]),
    "error": lambda: figures.error_by_outcome(recalls()),
}


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def intervals(axis: Axes) -> list[np.ndarray]:
    """[2, 2] ends of every interval."""
    return [path for drawn in axis.collections for path in drawn.get_segments() if len(path)]


def marks(axis: Axes) -> dict[str, np.ndarray]:
    """[marks, 2] places of the marks of each shape, the null line and legend entries left out."""
    found: dict[str, list[np.ndarray]] = {}
    for line in axis.lines:
        if line.get_marker() not in ("None", " ") and len(line.get_xydata()):
            found.setdefault(str(line.get_marker()), []).append(line.get_xydata())
    return {shape: np.concatenate(places) for shape, places in found.items()}


def inside(axis: Axes, points: np.ndarray) -> bool:
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    x, y = np.asarray(points).T
    return bool(((left <= x) & (x <= right) & (bottom <= y) & (y <= top)).all())


def drawn_texts(figure: Figure) -> list:
    """Boxes of tick labels, titles, axis labels and legends, after the layout."""
    figure.draw_without_rendering()
    texts = [text for axis in figure.axes for text in (axis.title, axis.xaxis.label, axis.yaxis.label)]
    for axis in figure.axes:
        for each in (axis.xaxis, axis.yaxis):
            low, high = each.get_view_interval()
            shown = [tick.label1 for tick in each.get_major_ticks() if low <= tick.get_loc() <= high]
            texts += [label for label in shown if label.get_visible()]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    legends = [*figure.legends, *(legend for axis in figure.axes if (legend := axis.get_legend()))]
    return boxes + [legend.get_window_extent() for legend in legends]


def test_a_forest_shows_every_effect_and_interval_once() -> None:
    frame = tidy()
    figure = figures.forest(frame)
    assert [axis.get_title() for axis in figure.axes] == ["Within counselors", "Between counselors"]
    for axis, level in zip(figure.axes, ("within", "between"), strict=True):
        rows = frame[frame["level"] == level]
        found = marks(axis)
        for shape, correction in (("s", "naive"), ("D", "gold"), ("o", "ptd")):
            expected = rows[rows["correction"] == correction]
            assert sorted(found[shape][:, 0]) == pytest.approx(sorted(expected["effect"]))
        assert len(intervals(axis)) == 60
        ends = np.sort([segment[:, 0] for segment in intervals(axis)], axis=0)
        assert ends[:, 0] == pytest.approx(np.sort(rows["effect_low"]))
        assert ends[:, 1] == pytest.approx(np.sort(rows["effect_high"]))
        assert all(inside(axis, segment) for segment in intervals(axis))
        assert axis.get_xscale() == "log"
        assert axis.get_xlabel() == UNIT.replace(" per ", "\nper ")


def test_marks_of_a_forest_stand_beside_the_name_of_their_code() -> None:
    frame = tidy(CODES[:4], ("within",))
    axis = figures.forest(frame).axes[0]
    ticks = dict(zip([text.get_text() for text in axis.get_yticklabels()], axis.get_yticks(), strict=True))
    names = {code.id: f"{code.name} ({code.id})" for code in Codebook.load().codes}
    for shape, correction in (("s", "naive"), ("D", "gold"), ("o", "ptd")):
        for x, y in marks(axis)[shape]:
            row = frame[(frame["correction"] == correction) & np.isclose(frame["effect"], x)].iloc[0]
            assert abs(y - ticks[names[row["code"]]]) < 0.5
    assert list(ticks) == [names[code] for code in CODES[:4]]
    assert list(ticks.values()) == [3, 2, 1, 0]


def test_filled_marks_have_a_small_q() -> None:
    frame = tidy(levels=("within",))
    axis = figures.forest(frame).axes[0]
    filled = [
        x
        for line in axis.lines
        if line.get_marker() in "sDo" and line.get_markerfacecolor() != "white"
        for x in line.get_xdata()
    ]
    assert sorted(filled) == pytest.approx(sorted(frame["effect"][frame["q_bh"] < 0.05]))
    legend = ["naive (tagger as true)", "gold chats only", "corrected"]
    assert labels(figures.forest(frame)) == [*legend, "filled: q < .05"]
    assert labels(figures.forest(frame.assign(q_bh=np.nan))) == legend


def test_points_stand_on_an_even_axis_and_ratios_include_no_effect() -> None:
    points = figures.forest(tidy(CODES[:5], ("",), unit="points per 10 percentage points")).axes[0]
    assert points.get_xscale() == "linear" and points.get_title() == ""
    above = tidy(CODES[:5], ("",), ("",))
    above[["effect", "effect_low", "effect_high"]] += 3
    axis = figures.forest(above).axes[0]
    assert axis.get_xlim()[0] < 1 < axis.get_xlim()[1]
    assert [line.get_xdata()[0] for line in axis.lines if list(line.get_ydata()) == [0, 1]] == [1]


@pytest.mark.parametrize("sd", [0.004, 0.02, 0.1, 0.3, 0.8, 1.5, 4])
def test_ratio_axes_of_any_width_have_ticks_on_both_sides_of_no_effect(sd: float) -> None:
    for seed_codes in (CODES[:3], CODES):
        figure = figures.forest(tidy(seed_codes, sd=sd))
        for axis in figure.axes:
            low, high = axis.get_xlim()
            ticks = [tick for tick in axis.get_xticks() if low <= tick <= high]
            assert 3 <= len(ticks) <= 9
            assert 1 in ticks and min(ticks) < 1 < max(ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.7, 1.15, [0.7, 0.8, 0.9, 1, 1.1]),
        (0.63, 2.7, [0.7, 1, 1.5, 2]),
        (0.4, 2.3, [0.4, 0.5, 0.7, 1, 1.5, 2]),
        (0.98, 1.03, [0.98, 0.99, 1, 1.01, 1.02, 1.03]),
        (0.1, 3, [0.1, 0.2, 0.5, 1, 2]),
        (0.001, 100, [0.001, 0.01, 0.1, 1, 10, 100]),
        (1e-9, 1e9, [1e-9, 1e-6, 1e-3, 1, 1e3, 1e6, 1e9]),
    ],
)
def test_ticks_of_ratios(low: float, high: float, ticks: list[float]) -> None:
    assert figures.ratio_ticks(low, high) == ticks


def test_intervals_without_end_reach_far_and_gaps_are_left_out() -> None:
    frame = tidy(CODES[:3], ("",))
    frame.loc[0, ["effect_low", "effect_high"]] = [0, np.inf]
    frame.loc[4, ["effect", "effect_low", "effect_high"]] = np.nan
    axis = figures.forest(frame).axes[0]
    ends = [segment[:, 0] for segment in intervals(axis) if np.isfinite(segment).all()]
    assert len(ends) == 8
    assert min(end[0] for end in ends) <= 2e-9 and max(end[1] for end in ends) >= 5e8
    assert axis.get_xlim()[0] < 1e-8 and np.isfinite(axis.get_xlim()).all()


def test_the_last_of_several_designs_is_drawn() -> None:
    both = pd.concat([tidy(CODES[:3], ("",)), tidy(CODES[3:5], ("",)).assign(design="joint")])
    assert len(figures.forest(both).axes[0].get_yticks()) == 2


def test_predicted_ratings_have_a_line_and_a_band_each() -> None:
    frame = predictions()
    axis = figures.predicted_ratings(frame.sample(frac=1, random_state=1)).axes[0]
    assert [line.get_label() for line in axis.lines] == ["1", "2", "3", "4", "5"]
    assert len(axis.collections) == 5
    for line, level in zip(axis.lines, range(1, 6), strict=True):
        rows = frame[frame["level"] == level]
        assert line.get_xdata().tolist() == rows["share"].tolist()
        assert line.get_ydata().tolist() == rows["probability"].tolist()
    bands = np.concatenate([path.vertices for band in axis.collections for path in band.get_paths()])
    assert inside(axis, bands)
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["1", "2", "3", "4", "5"]


def test_eleven_ratings_are_told_apart() -> None:
    lines = figures.predicted_ratings(predictions(11)).axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 11


def test_a_love_plot_shows_all_covariates_and_the_limits() -> None:
    given = covariates()
    figure = figures.love_plot(given)
    axis = figure.axes[0]
    found = marks(axis)
    assert found["s"][:, 0].tolist() == [row.before.smd for row in given.covariates]
    assert found["o"][:, 0].tolist() == [row.after.smd for row in given.covariates]
    assert found["o"][:, 1].tolist() == list(range(11, -1, -1)) == axis.get_yticks().tolist()
    assert inside(axis, np.concatenate(list(found.values())))
    upright = [line.get_xdata()[0] for line in axis.lines if list(line.get_ydata()) == [0, 1]]
    assert sorted(upright) == [-0.1, 0, 0.1]
    assert labels(figure) == ["before", "after"]


def test_infinite_differences_are_told_in_the_label() -> None:
    near, far = Gap(0.05, 1.0, 0.1), Gap(-np.inf, 1.0, 1.0)
    rows = (CovariateBalance("a", far, near), CovariateBalance("b", far, far), CovariateBalance("c", near, near))
    axis = figures.love_plot(Balance(rows, 0.1)).axes[0]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a (∞ before)", "b (∞ before and after)", "c"]
    assert np.isfinite(axis.get_xlim()).all()


def test_overlap_counts_every_row_once() -> None:
    propensity, treated = scores()
    figure = figures.overlap(propensity, treated)
    axis = figure.axes[0]
    heights = np.array([bar.get_height() for bar in axis.patches])
    assert heights[heights > 0].sum() == treated.sum()
    assert -heights[heights < 0].sum() == (~treated).sum()
    assert axis.yaxis.get_major_formatter()(-20, 0) == "20"
    assert labels(figure) == ["treated", "untreated"]


def test_experience_has_a_line_per_counselor_in_percent() -> None:
    lines, fit = curves()
    figure = figures.experience_curves(lines, fit, "Affirm (AF)")
    axis = figure.axes[0]
    assert labels(figure) == ["each counselor", "within counselors"]
    assert len(axis.lines) == 13 and axis.get_title() == "Affirm (AF)"
    own = lines[lines["counselor"] == "counselor 5"]
    assert axis.lines[5].get_ydata() == pytest.approx(100 * own["share"].to_numpy())
    assert axis.lines[12].get_ydata() == pytest.approx(100 * fit["share"].to_numpy())
    assert inside(axis, axis.collections[0].get_paths()[0].vertices)
    alone = figures.experience_curves(lines)
    assert len(alone.axes[0].lines) == 12 and labels(alone) == ["each counselor"]


def test_recall_by_outcome_is_on_one_axis_from_0_to_1() -> None:
    frame = recalls()
    figure = figures.error_by_outcome(frame)
    axis = figure.axes[0]
    found = marks(axis)
    for shape, half in (("s", "lower"), ("o", "upper")):
        assert found[shape][:, 0].tolist() == frame["recall"][frame["stratum"] == half].tolist()
    assert inside(axis, np.concatenate(list(found.values())))
    assert axis.get_xlim()[0] < 0 and axis.get_xlim()[1] > 1
    assert sum(np.isfinite(segment).all() for segment in intervals(axis)) == 39
    assert all(inside(axis, segment) for segment in intervals(axis) if np.isfinite(segment).all())
    assert labels(figure) == ["lower half of the outcome", "upper half of the outcome"]
    unknown = frame.assign(recall=frame["recall"].where(frame["code"] != CODES[2]))
    assert len(figures.error_by_outcome(unknown).axes[0].get_yticks()) == 19
    assert len(figures.error_by_outcome(frame.assign(recall=np.nan)).axes[0].get_yticks()) == 0
    assert axis.get_xlabel() == "Recall of the tagger on gold chats"


def test_found_per_true_message_may_be_above_1_and_is_not_called_recall() -> None:
    frame = recalls().rename(columns={"recall": "found_per_true"})
    frame.loc[1, ["found_per_true", "low", "high"]] = 1.6, 1.4, 1.9
    axis = figures.error_by_outcome(frame).axes[0]
    assert axis.get_xlabel() == "Messages found per true message on gold chats (false alarms count, too)"
    assert all(inside(axis, segment) for segment in intervals(axis) if np.isfinite(segment).all())
    assert axis.get_xlim()[1] > 1.9 and [1.0, 1.0] in [list(line.get_xdata()) for line in axis.lines]


def code_labels(*codes: str) -> list[str]:
    return [text.get_text() for text in figures.forest(tidy(codes)).axes[0].get_yticklabels()]


def test_long_names_stand_on_two_lines() -> None:
    assert code_labels(*LONG) == [
        "restatement or paraphrasing and simple\nreflection",
        "a_merged_code_of_several_techniques_\nwith_a_long_name",
    ]
    assert code_labels("x" * 40, "y" * 41) == ["x" * 40, "y" * 40 + "\ny"]


def test_longer_names_keep_their_beginning_and_end() -> None:
    one, two = code_labels(f"{'x' * 90} one", f"{'x' * 90} two")
    assert one == "x" * 40 + "\n…" + "x" * 35 + " one"
    assert two.endswith(" two")


def test_rows_are_higher_where_names_have_two_lines() -> None:
    assert all("\n" not in label for label in code_labels(*(code.id for code in Codebook.load().codes)))
    low, high = (figures.forest(tidy(codes, ("",), ("",))) for codes in (CODES[:8], (*CODES[:7], LONG[0])))
    assert high.get_size_inches()[1] > low.get_size_inches()[1]


def test_names_are_no_formulas(tmp_path: Path) -> None:
    """Text between two dollars would be read as a formula, and this one cannot be."""
    name = r"costs $\nofunction{$ <&>"
    figures.save(figures.forest(tidy((name,), ("",))), tmp_path / "forest")
    assert "costs $" in (tmp_path / "forest.svg").read_text(encoding="utf-8")
    figures.save(figures.experience_curves(*curves(), title=name), tmp_path / "experience")
    figures.save(figures.predicted_ratings(predictions(), name), tmp_path / "predicted")
    row = CovariateBalance(name, Gap(0.2, 1.0, 0.1), Gap(0.1, 1.0, 0.1))
    figures.save(figures.love_plot(Balance((row,), 0.1)), tmp_path / "love")
    figures.save(figures.error_by_outcome(recalls().head(1).assign(code=name)), tmp_path / "error")


def test_covariates_are_not_drawn_among_techniques() -> None:
    both = pd.concat([tidy(CODES[:3], ("",)), tidy(("",), ("",))])
    assert len(figures.forest(both).axes[0].get_yticks()) == 3
    with pytest.raises(UsageProblem, match="No technique to draw"):
        figures.forest(tidy(("",), ("",)))


def test_the_use_of_a_technique_is_named_with_its_unit() -> None:
    assert figures.predicted_ratings(predictions()).axes[0].get_xlabel() == "Use of the technique"
    named = figures.predicted_ratings(predictions(), "Affirm (AF), 10 percentage points").axes[0]
    assert named.get_xlabel() == "Affirm (AF), 10 percentage points"


@pytest.mark.parametrize("name", ALL)
def test_no_text_is_smaller_than_8_points(name: str) -> None:
    figure = ALL[name]()
    figure.draw_without_rendering()
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 8


@pytest.mark.parametrize("name", ALL)
def test_texts_are_inside_the_figure_and_do_not_overlap(name: str) -> None:
    figure = ALL[name]()
    boxes = drawn_texts(figure)
    assert len(boxes) > 3
    for i, box in enumerate(boxes):
        assert box.x0 >= -0.5 and box.y0 >= -0.5
        assert box.x1 <= figure.bbox.x1 + 0.5 and box.y1 <= figure.bbox.y1 + 0.5
        assert not any(box.overlaps(other) for other in boxes[:i])


@pytest.mark.parametrize("name", ALL)
def test_files_are_the_same_bytes_each_time(name: str, tmp_path: Path) -> None:
    figure = ALL[name]()
    for made, stem in ((figure, "one"), (figure, "two"), (ALL[name](), "three"), (figure, "v1.2")):
        figures.save(made, tmp_path / stem)
    for ending, start in (("svg", b"<?xml"), ("png", b"\x89PNG")):
        first = (tmp_path / f"one.{ending}").read_bytes()
        assert first.startswith(start)
        for stem in ("two", "three", "v1.2"):
            assert (tmp_path / f"{stem}.{ending}").read_bytes() == first
    assert b"<dc:date>" not in (tmp_path / "one.svg").read_bytes()
    assert b"<text" in (tmp_path / "one.svg").read_bytes()


def test_a_saved_figure_can_still_be_drawn(tmp_path: Path) -> None:
    figure = ALL["forest"]()
    figures.save(figure, tmp_path / "one")
    before = [axis.get_position().bounds for axis in figure.axes]
    figure.draw_without_rendering()
    assert [axis.get_position().bounds for axis in figure.axes] == before


def test_no_display_and_no_pyplot(tmp_path: Path) -> None:
    """In a process of its own: others may have imported pyplot into this one."""
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.unit.outcomes import test_outcomes_figures as given\n"
        "for i, make in enumerate(given.ALL.values()):\n"
        "    given.figures.save(make(), Path(sys.argv[1]) / str(i))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert not any(name.partition('.')[0] in ('tkinter', 'PyQt6', 'gi') for name in sys.modules)\n"
    )
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-c", program, tmp_path], check=True, cwd=root, env=environment | {"PYTHONPATH": str(root)}
    )
    assert len(list(tmp_path.iterdir())) == 2 * len(ALL)


def test_importing_the_module_imports_no_matplotlib() -> None:
    program = "import sys, mi_coder.outcomes.figures\nassert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])
