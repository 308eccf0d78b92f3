"""What a run takes from its reader, and why it stopped taking."""

from collections.abc import Iterator

from mi_coder.batch.interrupt import Interrupted, Stop
from mi_coder.batch.options import OnError
from mi_coder.batch.problems import Refused, Remedy, StoppedAtReject
from mi_coder.formats import Record, RecordReader, Reject


class Intake:
    """The records and rejects of a reader, up to a signal or to a bad record that is to end the run.

    Args:
        flat: the output holds one message a row.
    """

    def __init__(self, reader: RecordReader, on_error: OnError, stop: Stop, flat: bool = False) -> None:
        self._reader = reader
        self._fail = on_error == "fail"
        self._stop = stop
        self._flat = flat
        self._bad: Reject | None = None

    def __iter__(self) -> Iterator[Record | Reject]:
        for item in self._stop.until_stopped(self._reader):
            if self._fail and isinstance(item, Reject):
                self._bad = item
                return
            if self._flat and self._reader.layout == "conversation":
                raise Refused(
                    f"{self._reader.source} has one conversation a line, and a CSV or TSV table one message a line. "
                    "Name the output .jsonl or .parquet."
                )
            yield item

    @property
    def cut(self) -> bool:
        """Whether it ended before its reader did."""
        return self._bad is not None or self._stop.signal is not None

    def check(self, stopped: str, remedy: Remedy | None = None) -> None:
        """Nothing where all was taken.

        Args:
            stopped: what to say where a signal came, and what then helps.

        Raises:
            Interrupted: a signal came.
            StoppedAtReject: a bad record came.
        """
        if self._stop.signal is not None:
            raise Interrupted(stopped, self._stop.signal, remedy)
        if self._bad is not None:
            raise StoppedAtReject(f"{self._bad}.", Remedy.SKIP)
