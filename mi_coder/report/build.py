"""A report from tagged chats: read once, count, and put the page together."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mi_coder.annotation.agreement_report import AgreementReport, read_report
from mi_coder.batch.codebook import check_codebook
from mi_coder.batch.meta import read_meta
from mi_coder.batch.paths import RunPaths
from mi_coder.errors import UsageProblem
from mi_coder.evaluation.card import CardFigures, read_card
from mi_coder.evaluation.coder import bundled_model_of
from mi_coder.evaluation.run import Request, evaluate_files
from mi_coder.formats import ReadOptions, read_conversations
from mi_coder.formats.on_disk import check_on_disk
from mi_coder.formats.results import NAME, read_results
from mi_coder.measures.groups import ALL, PERIODS, all_periods, check_fields, value_of
from mi_coder.measures.profile import count
from mi_coder.measures.reading import Chat, fields_of, read_files
from mi_coder.measures.tally import Unit
from mi_coder.progress import Progress, unwatched
from mi_coder.report import quality, sections
from mi_coder.report.page import page, paragraph
from mi_coder.report.seen import checked_errors
from mi_coder.tagger.model import BUNDLED

TEXTS_PER_CODE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What the page is to show.

    Attributes:
        counselor, time: fields of the conversation; empty where there is none.
        period: year, month or week.
        min_chats: counselors with fewer chats, and their periods with fewer, are left out.
        validation: tagged chats with gold codes, for the tagger's errors.
        agreement: a report of `mi-code agreement` as JSON.
        outcomes: a folder that `mi-code relate` wrote.
        include_text: show messages.
    """

    counselor: str = ""
    time: str = ""
    period: str = "month"
    unit: Unit = "message"
    min_chats: int = 1
    validation: str = ""
    agreement: Path | None = None
    outcomes: Path | None = None
    include_text: bool = False
    title: str = "Use of techniques"


def build_report(paths: Sequence[str], options: ReportOptions, progress: Progress = unwatched) -> str:
    """The page as HTML.

    Args:
        progress: called after each counselor.

    Raises:
        UsageProblem: no coded chats, a chat in two files, a file that was tagged by another codebook, a field that no
            conversation has, or a folder that holds no results.
    """
    if options.include_text:
        check_on_disk(*paths)
    check_codebook(paths)
    fields = [field for field in (options.counselor, options.time) if field]
    chats = list(read_files(paths, fields))
    check_fields([chat.fields for chat in chats], fields, lambda: fields_of(paths))
    unit, least = options.unit, options.min_chats
    errors, warning = checked_errors(options.validation, unit) if options.validation else (None, "")
    counted = count(chats, unit)
    whole = counted.profile([ALL], errors=errors)
    parts = [
        sections.overview(_overview(chats, options), whole.figures, unit),
        sections.code_use(whole.figures, unit, errors is not None, warning),
    ]
    if options.counselor:
        each = counted.profile([options.counselor], errors=errors, min_chats=least, rates=False, progress=progress)
        parts.append(sections.counselors(each, options.counselor))
    if options.counselor and options.time:
        if options.period not in PERIODS:
            raise UsageProblem(f"The period is one of {', '.join(PERIODS)}.")
        by = [options.counselor, options.period]
        units = counted.units(by, options.time, least)
        largest = sections.most_units(units)
        shown = {group for group in units if group[0] in largest}
        over = counted.profile(by, options.time, errors, min_chats=least, only=shown, rates=False)
        periods = all_periods({period for _, period in units} - {""}, options.period)
        if len(periods) > 1 or over.left_out:
            parts.append(sections.over_time(over, periods))
    parts.append(sections.order(counted.patterns))
    coders = read_report(options.agreement) if options.agreement else None
    parts.append(_quality(paths, options.validation, coders))
    if coders:
        parts.append(sections.agreement(coders))
    if options.outcomes:
        parts.append(_outcomes(options.outcomes))
    if options.include_text:
        parts.append(sections.examples(_texts(paths)))
    lead = paragraph(
        "Codes are given by a tagger that makes mistakes, rare codes most. They say which techniques were used, not "
        "whether they helped, and nothing about risk or safety. No figure here is a verdict on a person."
    )
    return page(options.title, lead, parts)


def _overview(chats: Sequence[Chat], options: ReportOptions) -> sections.Overview:
    coded = [turn for chat in chats for turn in chat.turns if turn.codes is not None]
    times = sorted(
        str(chat.fields[options.time])[:10] for chat in chats if options.time and chat.fields.get(options.time)
    )
    counselors = {value_of(chat.id, chat.fields, options.counselor, options.time) for chat in chats} - {""}
    return sections.Overview(
        len(chats),
        len(coded),
        sum(turn.role == "client" for chat in chats for turn in chat.turns),
        sum(turn.review for turn in coded),
        len(counselors) if options.counselor else None,
        times[0] if times else "",
        times[-1] if times else "",
    )


def _model(paths: Sequence[str]) -> str:
    models = {meta.model for path in paths if (meta := read_meta(RunPaths("-", Path(path)).meta)) is not None}
    return " and ".join(sorted(models)) or "unknown (no sidecar of mi-code tag beside the files)"


def _quality(paths: Sequence[str], validation: str, coders: AgreementReport | None) -> sections.Section:
    if not validation:
        return quality.unvalidated(_model(paths), _card(paths))
    gold = Path(validation)
    report = evaluate_files(Request(gold=gold, tagged=gold, seen="allow"))
    return quality.validated(report, _model([validation]), quality.people_of(coders))


def _card(paths: Sequence[str]) -> CardFigures | None:
    """The figures of the bundled model, where it made all of the files."""
    models = [bundled_model_of(read_meta(RunPaths("-", Path(path)).meta)) for path in paths]
    return read_card(BUNDLED) if all(models) else None


def _outcomes(folder: Path) -> sections.Section:
    results = read_results(folder, "relate")
    pictures = {each.title: _picture(folder, each.file) for each in results.files if each.kind == "forest"}
    return sections.outcomes(pictures, results.sentences, results.notes)


def _texts(paths: Sequence[str]) -> dict[str, list[str]]:
    """The messages with the highest probability of each code."""
    best: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for path in paths:
        for conversation in read_conversations(path, ReadOptions(overwrite=True)):
            for message in conversation.messages:
                for code in message.coding.codes if message.coding else ():
                    best[code].append((message.coding.scores.get(code, 0.0), message.text))  # type: ignore[union-attr]
                    best[code] = sorted(best[code], reverse=True)[:TEXTS_PER_CODE]
    return {code: [text for _, text in said] for code, said in sorted(best.items())}


def _picture(folder: Path, name: str) -> bytes:
    """A picture that the results name: a file of the folder and of no other."""
    path = folder / name
    if Path(name).name != name or path.is_symlink() or not path.is_file():
        raise UsageProblem(
            f"{folder / NAME} names {name!r}, which is no file in this folder. Run mi-code relate again."
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}.") from None
