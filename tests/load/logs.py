"""What the server of the soak leaves in its logs."""

import fileinput
import json
import re
from collections import Counter
from dataclasses import dataclass

from extra_headers.forwarding import BlockedHeadersError, MalformedHeadersError
from tests.load.servers import SoakServer


@dataclass(frozen=True, slots=True)
class AuditLog:
    """What is left of the audit log, and what the server logged of the rest."""

    written: int
    broken: int
    """Lines that are not a record."""
    suppressed: int
    """By the rate limit, from the records."""
    lost: int
    """From the log of the server."""
    faults: int
    """Lines of the log about a file that cannot be written."""
    repairs: int
    """Lines about one that can be written again."""


def read_audit_log(server: SoakServer) -> AuditLog:
    """Return the audit log of all lives of a server."""
    written = broken = suppressed = 0
    if server.audit_log.exists():
        for line in server.audit_log.read_text().splitlines():
            try:
                suppressed += json.loads(line)["extra_headers.suppressed"]
                written += 1
            except (ValueError, KeyError):
                broken += 1
    text = "".join(log.read_text(errors="replace") for log in server.all_logs)
    lost = [int(number) for number in re.findall(r"can be written again; (\d+) records were lost", text)]
    return AuditLog(written, broken, suppressed, sum(lost), text.count("cannot be written, requests"), len(lost))


def errors_in(server: SoakServer) -> Counter[str]:
    """Return the kinds of errors in the logs: the logger of a record of that level, and what tracebacks end with.

    The host writes a line or a record for each rejected request. Rejections are answers: not counted.
    """
    found = Counter[str]()
    with fileinput.input(server.all_logs, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            # A kill leaves half a line.
            record = json.loads(line) if line.startswith("{") and line.endswith("}\n") else {}
            names = re.findall(r"<class '([\w.]+)'>", str(record.get("exc_info"))) if record else _RAISED.findall(line)
            raised = [name for name in names if name.rpartition(".")[2] not in _REFUSALS]
            is_rejection = bool(names) and not raised
            if record.get("level") in ("error", "critical") and not is_rejection:
                found[record["logger"]] += 1
            found.update(raised)
    return found


_RAISED = re.compile(r"^([\w.]+(?:Error|Exception|Exit|Interrupt))\b")
_REFUSALS = {BlockedHeadersError.__name__, MalformedHeadersError.__name__}
HOSTS_OWN_ERRORS = {"ogx.core.routers.inference"}
"""Loggers of the host that complain whoever calls: it keeps completions in a sqlite file, without a queue for that, and
finds its "database is locked": once or twice in a hundred at first, after some thousand requests nearly always."""
