"""Where a run begins: afresh, at the checkpoint of an unfinished run, or not at all."""

import os

from mi_coder.batch.journal import Fingerprint, Journal, read_journal
from mi_coder.batch.meta import Meta, read_meta
from mi_coder.batch.options import TagOptions
from mi_coder.batch.paths import STDIO, RunPaths
from mi_coder.batch.problems import Refused, Remedy, in_the_way


def start(paths: RunPaths, fingerprint: Fingerprint, options: TagOptions) -> Journal | Meta:
    """The journal to resume from, or the sidecar of the output that is already there and right.

    Raises:
        Refused: a finished output, an unfinished run of another kind or version, a file of no run or a symbolic link is
            in the way.
    """
    for path in paths.written:
        if path.is_symlink():
            raise in_the_way(path)
    if options.force or not options.resume or paths.source == STDIO:
        if paths.output.exists() and not options.force:
            raise Refused(f"{paths.output} exists.", Remedy.REPLACE)
        return _afresh(paths, fingerprint)
    try:
        journal = read_journal(paths.journal)
    except Refused as damaged:
        raise Refused(str(damaged), restart(paths)) from None
    if journal is not None:
        if others := fingerprint.other_versions(journal.fingerprint):
            raise Refused(
                f"An unfinished run of {paths.output} was started by another version ({others}): only that one can "
                "resume it.",
                Remedy.REPLACE,
            )
        if changed := fingerprint.differences(journal.fingerprint):
            raise Refused(
                f"An unfinished run of {paths.output} differs from this one in: {', '.join(changed)}. "
                "Repeat the earlier command to resume it.",
                restart(paths),
            )
        return journal
    if not paths.output.exists():
        return _afresh(paths, fingerprint)
    done = read_meta(paths.meta)
    if done is None:
        raise Refused(f"{paths.output} exists and was not written by a run that can be checked.", Remedy.REPLACE)
    if changed := fingerprint.differences(done.fingerprint):
        raise Refused(f"{paths.output} exists, tagged with a difference in: {', '.join(changed)}.", Remedy.REPLACE)
    return done


def restart(paths: RunPaths) -> Remedy:
    """How to start over: where the output exists, that overwrites it."""
    return Remedy.REPLACE if paths.output.exists() else Remedy.RESTART


def _afresh(paths: RunPaths, fingerprint: Fingerprint) -> Journal:
    """A journal without a record, where no file of the user's has a name that the run needs."""
    if not paths.journal.exists() and read_meta(paths.meta) is None:
        for path in (paths.part, paths.rejects, paths.rejects_part, paths.meta):
            if os.path.lexists(path):
                raise in_the_way(path)
    return Journal(fingerprint)
