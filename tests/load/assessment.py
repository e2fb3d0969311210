"""What must hold of a run of the soak; each function returns what does not, for people to read."""

from tests.load.ledger import Life
from tests.load.logs import HOSTS_OWN_ERRORS
from tests.load.process import change
from tests.load.soak import Run
from tests.load.weather import Event

_FLAT = 0.02
_OF_THE_WEATHER = {
    "extra_headers.telemetry.audit_sinks",
    "opentelemetry.exporter.otlp.proto.http._common",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
}
"""Loggers that complain of a full disk and of a collector that is away."""


def longest(result: Run) -> Life:
    """Return the life with the most requests."""
    return max(result.lives, key=lambda life: life.must.calls)


def growth(result: Run) -> list[str]:
    """Return what grew while the load went on in the longest life, but for a share that comes and goes."""
    found, usages = [], longest(result).usages
    if (grown := change(usages, lambda u: u.resident)) > _FLAT:
        found.append(f"resident memory grew by {grown:.2%} from the second quarter to the last")
    if (grown := change(usages, lambda u: u.descriptors)) > _FLAT:
        found.append(f"file descriptors grew by {grown:.2%} from the second quarter to the last")
    return found


def exactness(with_it: Run, without: Run) -> list[str]:
    """Return what differs from what the callers must expect, to the last request."""
    found = [f"at the provider: {fault}" for fault in (*with_it.wrong_upstream, *without.wrong_upstream)]
    for result in (with_it, without):
        for number, life in enumerate(result.lives, 1):
            found += [f"life {number}: {fault}" for fault in (*life.miscounted(), *_unreached(life))]
            # Of a server that was killed nobody can say what it would have closed.
            if life.at_rest is not None and life.at_rest[1].sockets > life.at_rest[0].sockets:
                before, after = life.at_rest
                found.append(f"life {number}: {after.sockets} sockets after the load, {before.sockets} before")
    if (most := with_it.kills() * with_it.concurrency) < with_it.broken:
        found.append(f"{with_it.broken} requests broke in {with_it.kills()} kills, {most} at most")
    found += [f"only with the add-on: {what}" for what in with_it.unexpected if what not in without.unexpected]
    allowed = HOSTS_OWN_ERRORS | (_OF_THE_WEATHER if with_it.plan else set())
    new_errors = with_it.log_errors.keys() - without.log_errors.keys() - allowed
    found += [f"only with the add-on, in the log: {what}" for what in sorted(new_errors)]
    return found + _unaudited(with_it)


def _unreached(life: Life) -> list[str]:
    least, most = life.must.calls, life.must.calls + life.may.calls
    return (
        [] if least <= life.reached <= most else [f"{life.reached} calls at the provider, {least} to {most} expected"]
    )


def _unaudited(result: Run) -> list[str]:
    """Return where the audit log and the log of the server contradict the callers."""
    audit = result.audit
    assert audit is not None, "a run with the add-on has an audit log"
    fills = sum(event is Event.DISK_FILLS for _, event in result.plan)
    found = [f"{audit.broken} lines of the audit log are not records"] if audit.broken else []
    # Each worker logs the losses that it had.
    if not fills <= audit.faults == audit.repairs <= max(fills, 2 * fills * (result.workers - 1)):
        found.append(f"{fills} full disks: {audit.faults} in the log, and {audit.repairs} repairs")
    if audit.lost < audit.repairs:
        found.append(f"{audit.lost} lost records in {audit.repairs} repairs")
    due = result.stopped + sum(life.must.stopped + life.may.stopped for life in result.lives)
    if (all_of_them := audit.written + audit.suppressed + audit.lost) > due:
        found.append(f"{all_of_them} audit records written, suppressed or lost, of at most {due}")
    return found
