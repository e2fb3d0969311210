"""Where audit records go: lines of JSON on standard error or in a file, or a logger of the process.

No method raises for a disk, a directory or a pipe. Nothing that a caller can influence adds a line, a control character
or console markup: a name is a valid field name, everything else is from a closed set, the operator's, or escaped.
"""

import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry.trace import SpanContext, format_span_id, format_trace_id
from opentelemetry.util.types import AttributeValue

from . import contract

_log = logging.getLogger(__name__)

STANDARD_ERROR: Final = "stderr"
"""What an operator writes in place of a path."""

MAX_LINE_BYTES: Final = 4096
"""Linux writes so much to a pipe at once, so that lines of several processes that share one are never mixed."""
_STDERR_DESCRIPTOR = 2
# Without O_NONBLOCK, opening a named pipe waits for a reader.
_OPEN_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
_MAX_LISTED = 8


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What is recorded of one request."""

    time_ns: int
    warning: bool
    """Whether a header was stopped, or the request rejected."""
    attributes: Mapping[str, AttributeValue]
    context: SpanContext | None
    """Of the span that carries the decisions."""

    @property
    def severity_text(self) -> str:
        """The severity as OpenTelemetry writes it."""
        return "WARN" if self.warning else "INFO"

    def fields(self) -> dict[str, Any]:
        """Return the flat record, without what every log record has: a time and a severity."""
        fields: dict[str, Any] = {contract.KEY_EVENT_NAME: contract.EVENT_DECISION}
        if self.context is not None and self.context.is_valid:
            fields[contract.KEY_TRACE_ID] = format_trace_id(self.context.trace_id)
            fields[contract.KEY_SPAN_ID] = format_span_id(self.context.span_id)
        return {**fields, **self.attributes}


def json_line(record: AuditRecord) -> bytes:
    """Return a record as one line of JSON in ASCII. The longest text or list is halved until the line is short."""
    moment = datetime.fromtimestamp(record.time_ns / 1e9, UTC).isoformat(timespec="microseconds")
    fields = {
        contract.KEY_TIMESTAMP: moment.replace("+00:00", "Z"),
        contract.KEY_SEVERITY_TEXT: record.severity_text,
        **record.fields(),
    }
    while len(line := _encoded(fields)) >= MAX_LINE_BYTES:
        longest = max((key for key in fields if isinstance(fields[key], str | list)), key=lambda k: _size(fields[k]))
        fields[longest] = fields[longest][: len(fields[longest]) // 2]
    return line + b"\n"


def _encoded(value: object) -> bytes:
    # The encoder escapes every control character but one.
    return json.dumps(value).replace("\x7f", "\\u007f").encode("ascii")


def _size(value: object) -> int:
    return len(_encoded(value))


class LineSink:
    """Appends lines of JSON to standard error or to a file, which others may rotate, delete or share."""

    def __init__(self, path: str) -> None:
        self._path = None if path.lower() == STANDARD_ERROR else path
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._torn = False
        self._failing = False
        self._lost = 0
        self._append(b"")  # a wrong path is reported when the server starts

    def write(self, record: AuditRecord) -> None:
        """Write a record as one line. If that fails, requests are not affected and the first failure is logged."""
        self._append(json_line(record))

    def _append(self, line: bytes) -> None:
        failure, lost = None, 0
        with self._lock:
            try:
                self._write_all(self._open(), line)
            except OSError as error:
                self._lost += bool(line)
                failure, self._failing = None if self._failing else error, True
            else:
                lost, self._lost, self._failing = self._lost, 0, False
        where = self._path or STANDARD_ERROR
        if failure is not None:
            reason = failure.strerror or type(failure).__name__
            _log.error("extra_headers: audit log %s cannot be written, requests are not affected: %s", where, reason)
        if lost:
            _log.warning("extra_headers: audit log %s can be written again; %d records were lost", where, lost)

    def _open(self) -> int:
        """Return the descriptor of the file that has the path now."""
        if self._path is None:
            return _STDERR_DESCRIPTOR
        if self._descriptor is not None:
            try:
                if os.path.samestat(os.fstat(self._descriptor), os.stat(self._path)):  # noqa: PTH116
                    return self._descriptor
            except FileNotFoundError:
                pass  # it was rotated away
            os.close(self._descriptor)
            self._descriptor, self._torn = None, False
        self._descriptor = os.open(self._path, _OPEN_FLAGS, 0o640)
        return self._descriptor

    def _write_all(self, descriptor: int, line: bytes) -> None:
        # What a full disk left of a line must not become the start of the next one.
        data = b"\n" + line if self._torn and line else line
        written = 0
        try:
            while written < len(data):
                written += os.write(descriptor, data[written:])
        except OSError:
            self._torn = self._torn or written > 0
            raise
        self._torn = self._torn and not line


class LoggerSink:
    """Logs records with the logger `extra_headers.audit`: a sentence, and the fields as attributes of the record."""

    def __init__(self, *, every_request: bool = False) -> None:
        self._logger = logging.getLogger(contract.LOGGER_AUDIT)
        if every_request and not self._logger.isEnabledFor(logging.INFO):
            self._logger.setLevel(logging.INFO)  # the operator asked for them

    def write(self, record: AuditRecord) -> None:
        """Log a record."""
        level = logging.WARNING if record.warning else logging.INFO
        self._logger.log(level, "%s", log_message(record), extra=_escaped_fields(record))


def log_message(record: AuditRecord) -> str:
    """Return a record as a sentence."""
    fields = _escaped_fields(record)
    outcome = fields.get(contract.ATTR_OUTCOME, "sent")  # without extra headers it has none
    parts = [f"provider {fields[contract.ATTR_PROVIDER]}: request {outcome}"]
    for what, names, reasons in (
        ("stopped", contract.ATTR_STOPPED_NAMES, contract.ATTR_STOPPED_REASONS),
        ("missing", contract.ATTR_IDENTITY_HEADERS_MISSING, contract.ATTR_IDENTITY_HEADERS_MISSING_REASONS),
    ):
        if names in fields:
            parts.append(f"{what}: {_listed(fields[names], fields[reasons])}")
    if contract.ATTR_USER in fields:
        parts.append(f"user: {fields[contract.ATTR_USER]}")
    return "; ".join(parts)


def _escaped_fields(record: AuditRecord) -> dict[str, Any]:
    # Handlers write text as it is: OGX's console, for one, prints line breaks and interprets markup.
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in record.fields().items()}


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() and c not in "[]" else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _listed(names: Sequence[str], reasons: Sequence[str]) -> str:
    pairs = [f"{name or 'a header'} ({reason})" for name, reason in zip(names, reasons, strict=True)]
    more = f" and {len(pairs) - _MAX_LISTED} more" if len(pairs) > _MAX_LISTED else ""
    return ", ".join(pairs[:_MAX_LISTED]) + more
