"""What was seen, as plain lines for pipes and files: the first word says what a line is about."""

from collections.abc import Iterator
from datetime import datetime

from extra_headers.telemetry import contract

from .state import Row, Watch

TOP = 10
"""Blocked names that are shown."""


def block(watch: Watch, began: float) -> Iterator[str]:
    """Yield the lines of one block; `began` is when the watch did, in seconds of the epoch."""
    for endpoint in watch.endpoints:
        if endpoint.failure:
            kept = "; the numbers are its last" if endpoint.snapshot else ""
            yield f"endpoint {endpoint.url} down since {clock(began, endpoint.failed_since)}: {endpoint.failure}{kept}"
        else:
            yield f"endpoint {endpoint.url} read at {clock(began, endpoint.read_at)}"
    if not watch.has_numbers:
        return
    yield from _aligned(
        "decision", watch.rows(contract.DECISIONS_TOTAL), contract.METRICS[contract.DECISIONS_TOTAL].labels
    )
    yield from _aligned("blocked-name", watch.rows(contract.BLOCKED_NAMES_TOTAL)[:TOP], _BLOCKED_LABELS)
    yield f"override-attempt {override_text(watch, began)}"
    for row in watch.policies():
        policy, drift = row.policy, "  DRIFT" if row.drift else ""
        where = f"on {row.endpoints} of {row.of} endpoint{'' if row.of == 1 else 's'}"
        yield (
            f"policy {policy.provider} {policy.provider_type} {policy.digest} on_blocked={policy.on_blocked} "
            f"on_malformed={policy.on_malformed}  {where}{drift}"
        )
    for shadow in watch.shadow_differences():
        yield (
            f"shadow {shadow.series.label(contract.LABEL_PROVIDER)} {shadow_text(shadow)}  {'  '.join(numbers(shadow))}"
        )


_BLOCKED_LABELS = (contract.LABEL_PROVIDER, contract.LABEL_REASON, contract.LABEL_HEADER)


def _aligned(word: str, rows: list[Row], labels: tuple[str, ...]) -> Iterator[str]:
    cells = [[*(row.series.label(label) for label in labels), *numbers(row)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        texts, figures = line[: len(labels)], line[len(labels) :]
        padded = [f"{text:<{width}}" for text, width in zip(texts, widths, strict=False)]
        padded += [f"{text:>{width}}" for text, width in zip(figures, widths[len(labels) :], strict=True)]
        yield f"{word} {'  '.join(padded)}"
    if not rows:
        yield f"{word} none"


def shadow_text(row: Row) -> str:
    """Return what the live policy decides, and what the shadow policy would."""
    labels = (contract.LABEL_DECISION, contract.LABEL_SHADOW_DECISION, contract.LABEL_SHADOW_REASON)
    return "{} -> {} ({})".format(*map(row.series.label, labels))


def numbers(row: Row) -> tuple[str, str]:
    """Return a counter's rate and total, each with what it is."""
    return f"{rate(row.per_second)}/s", f"total={count(row.total)}"


def rate(per_second: float | None) -> str:
    """Return a rate in few characters; a dash where it is not known."""
    return "-" if per_second is None else f"{per_second:.1f}" if per_second < 1e6 else f"{per_second:.3g}"


def count(number: float) -> str:
    """Return a count in few characters, however large an endpoint says that it is."""
    return f"{number:.0f}" if number < 1e12 else f"{number:.3g}"


def clock(began: float, seconds: float) -> str:
    """Return the local time of day."""
    return f"{datetime.fromtimestamp(began + seconds).astimezone():%H:%M:%S}"


def override_text(watch: Watch, began: float) -> str:
    """Return when an override was last tried, on which provider, and which entries of the policy stopped it."""
    before = f"{count(watch.attempts_in_total())} in the counters"
    if (seen := watch.override) is None:
        return f"none since {clock(began, 0)}; {before}"
    headers = ", ".join(f"{header} ({reason})" for header, reason in seen.headers) or "unknown header"
    return f"{clock(began, seen.seconds)} {seen.provider}: {headers}; {before}"
