"""Parsing the text of an endpoint, which may be anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from extra_headers.forwarding import Policy
from extra_headers.forwarding.cli.watch.samples import ADVICE, Snapshot, UnreadableError, parse
from extra_headers.telemetry import contract
from tests.watch.endpoint import Server

_DECISION = 'extra_headers_decisions_total{{provider="{}",decision="blocked",reason="credential"}} {}\n'


def labels_of(snapshot: Snapshot) -> list[dict[str, str]]:
    """Return the labels of each counter."""
    return [dict(series.labels) for series in snapshot.counters]


def test_reads_what_the_add_on_writes() -> None:
    """Counters and policies are read as they are written."""
    server = Server(vllm=Policy())
    server.receive("vllm", {"Authorization": "a", "X-Team": "b"})

    snapshot = parse(generate_latest(server.registry).decode())

    counted = {
        (series.metric, series.label(contract.LABEL_REASON)): value
        for series, value in snapshot.counters.items()
        if value
    }
    assert counted == {
        (contract.DECISIONS_TOTAL, "allowed"): 1,
        (contract.DECISIONS_TOTAL, "credential"): 1,
        (contract.BLOCKED_NAMES_TOTAL, "credential"): 1,
    }
    assert [policy.digest for policy in snapshot.policies] == [Policy().digest]


def test_reads_past_what_others_write() -> None:
    """Another library's series on the same endpoint, even broken ones, are ignored."""
    snapshot = parse("http_requests_total{bad\n" + "x" * 10_000 + "\n" + _DECISION.format("vllm", 3))
    assert list(snapshot.counters.values()) == [3]


def test_says_what_to_do_where_there_is_nothing() -> None:
    """Without the add-on's series, the message names the settings that would serve them."""
    for text in ("", "<html>hello</html>", "http_requests_total 3\n", "# HELP extra_headers_x y\n"):
        with pytest.raises(UnreadableError) as raised:
            parse(text)
        assert str(raised.value) == ADVICE
    assert "OGX_METRICS_ENDPOINT_ENABLED=1" in ADVICE
    assert "EXTRA_HEADERS_METRICS_PORT" in ADVICE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extra_headers_decisions_total{provider= 1\n", "not in the Prometheus text format"),
        ("extra_headers_decisions_total many\n", "not in the Prometheus text format"),
        (_DECISION.format("x" * 5000, 1), "too long"),
        (_DECISION.format("vllm", 1) * 10_001, "too many"),
    ],
)
def test_refuses_what_no_server_writes(text: str, message: str) -> None:
    """A broken or oversized answer is an error of one sentence, not the parser's."""
    with pytest.raises(UnreadableError, match=message):
        parse(text)


def test_leaves_out_values_that_no_counter_has() -> None:
    """A value that is not a count is left out, so that every sum is finite."""
    values = ("NaN", "+Inf", "-Inf", "-1", "1e308")
    text = "".join(_DECISION.format(f"p{value}", value) for value in values)
    assert list(parse(text + _DECISION.format("other", 2)).counters.values()) == [2]


def test_makes_labels_printable() -> None:
    """Control codes of a hostile endpoint become visible text, and no label fills the screen."""
    for label, printed in (
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\x9b31mb", r"a\x9b31mb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\\nb", r"a\nb"),
        ("[red]x[/]", "[red]x[/]"),
        ("é" * 100, "é" * 79 + "…"),
    ):
        assert labels_of(parse(_DECISION.format(label, 1)))[0]["provider"] == printed


@given(st.text(alphabet='{}="\\ ,#\n1aN\x1b\x85\u2028', max_size=60))
def test_never_fails_otherwise(tail: str) -> None:
    """Any text after the name of a metric is read or refused, and labels are printable."""
    try:
        snapshot = parse(f"extra_headers_decisions_total{tail}\n")
    except UnreadableError:
        return
    assert all(value.isprintable() for labels in labels_of(snapshot) for value in labels.values())
