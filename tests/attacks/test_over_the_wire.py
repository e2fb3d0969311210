"""Every case of the corpus over a raw socket through a real OGX server: the provider, the counters, the log."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from extra_headers.forwarding import DecisionKind
from extra_headers.forwarding.policy.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from extra_headers.telemetry import contract
from tests.attacks.corpus import CASES, FIELD, Case
from tests.attacks.wire import Seen, attacked, provider_data, providers_for, send
from tests.server.stack import PROVIDER_KEY, Series, Stack

_STATUS = {None: 200, DecisionKind.MALFORMED: 400, DecisionKind.BLOCKED: 403}
# How the lines of the server's log begin: its own records, audit records, and the traceback of a rejected request.
_LOG_LINE = re.compile(
    r"(INFO|WARNING|ERROR) +\d{4}-\d\d-\d\dT|Traceback |  |"
    r'\{"timestamp": |'
    r"extra_headers\.forwarding\.ogx\.host\.\w+Error: "
)
# Stands in the values and malformed names of the corpus, and in none that may be shown.
_SECRET = "evil"


@dataclass(frozen=True, slots=True)
class Played:
    """All cases, sent one after another."""

    stack: Stack
    providers: dict[str, list[Case]]
    seen: list[tuple[Case, ReceivedRequest, Seen]]
    """Each case, what the provider receives without extra headers, and what became of it."""
    series: Series
    """What was counted."""

    def of(self, attack_class: str) -> Iterator[tuple[Case, ReceivedRequest, Seen]]:
        """Yield what became of the cases of one class that the HTTP server takes."""
        return (
            played for played in self.seen if played[0].attack_class == attack_class and not played[0].refused_by_server
        )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Send every case to a server of its own, each to the provider with its settings."""
    providers = providers_for(CASES)
    with attacked(tmp_path_factory.mktemp("attacked"), providers) as stack:
        seen = []
        for provider, cases in providers.items():
            (plain,) = send(stack, provider).received
            seen += [(case, plain, send(stack, provider, provider_data(case.provider_data))) for case in cases]
        yield Played(stack, providers, seen, stack.series())


@pytest.fixture(scope="module")
def stack(played: Played) -> Stack:
    """Return the server that was attacked, for more."""
    return played.stack


@pytest.mark.parametrize("attack_class", sorted({case.attack_class for case in CASES}))
class TestClass:
    """The cases of one class."""

    def test_the_provider_receives_what_is_forwarded_and_nothing_else(self, played: Played, attack_class: str) -> None:
        """The request is, to the byte, the one without extra headers, plus the lines of those that are forwarded."""
        for case, plain, seen in played.of(attack_class):
            assert seen.status == _STATUS[case.rejected_for], case
            if case.rejected_for is not None:
                assert seen.received == (), case
                continue
            (received,) = seen.received
            # The SDK writes names in lower case.
            added = [f"{name.lower()}: {value}".encode() for name, value in case.forwarded().items()]
            assert Counter(_lines(received)) == Counter([*_lines(plain), *added]), case
            assert received.body == plain.body
            assert received.values("authorization") == [f"Bearer {PROVIDER_KEY}"]

    def test_the_audit_log_says_what_was_stopped(self, played: Played, attack_class: str) -> None:
        """One record for each request with something to stop, with reasons and valid names, and none for others."""
        for case, _, seen in played.of(attack_class):
            stopped = {
                kind.value: Counter(r.value for k, r in case.expected if k is kind)
                for kind in (DecisionKind.BLOCKED, DecisionKind.MALFORMED)
            }
            if not any(stopped.values()):
                assert seen.audit == [], case
                continue
            (record,) = seen.audit
            for kind, reasons in stopped.items():
                assert record[f"extra_headers.{kind}.count"] == reasons.total(), case
                assert record.get(f"extra_headers.{kind}.reasons", []) == sorted(reasons), case
            shown = min(stopped["blocked"].total() + stopped["malformed"].total(), contract.MAX_NAMES_PER_ATTRIBUTE)
            for key in (contract.ATTR_STOPPED_NAMES, contract.ATTR_STOPPED_REASONS, contract.ATTR_STOPPED_RULES):
                assert len(record[key]) == shown, case
            assert record[contract.ATTR_OUTCOME] == ("filtered" if case.rejected_for is None else "rejected")
            assert record[contract.ATTR_FORWARDED_COUNT] == len(case.forwarded())

    def test_no_value_shows_and_no_line_is_injected(self, played: Played, attack_class: str) -> None:
        """The log grows by lines of the server's own, in printable ASCII; neither it nor the answer holds a value."""
        for case, _, seen in played.of(attack_class):
            assert all(_LOG_LINE.match(line) and line.isascii() and line.isprintable() for line in seen.log if line), (
                case
            )
            assert _SECRET not in "".join(seen.log)
            assert _SECRET.encode() not in seen.answer


class TestAllTogether:
    """What the whole run has left behind."""

    def test_every_decision_was_counted(self, played: Played) -> None:
        """The counters of each provider are the sum of its cases' decisions, to the last one."""
        expected: Counter[tuple[str, str, str]] = Counter()
        for provider, cases in played.providers.items():
            for case in cases:
                going_on = case.rejected_for is None
                counted = [] if case.refused_by_server else case.expected
                expected.update(
                    (provider, k.value, r.value) for k, r in counted if k is not DecisionKind.FORWARDED or going_on
                )
        assert expected == Counter(
            {
                (label["provider"], label["decision"], label["reason"]): int(value)
                for label, value in _samples(played.series, contract.DECISIONS_TOTAL)
                if value
            }
        )

    def test_label_values_are_the_policys_words(self, played: Played) -> None:
        """No caller's choice of name becomes a label; what is known to nobody is counted as `_other`."""
        core = {rule.pattern for rule in CORE_BLOCKLIST}
        labels = {(s["provider"], s["header"]) for s, _ in _samples(played.series, contract.BLOCKED_NAMES_TOTAL)}
        for provider, header in labels:
            case = played.providers[provider][0]
            operators = {*case.parsed_policy.block, *(name.lower() for name in case.outbound), contract.OTHER_HEADER}
            assert header in core | operators
        assert len({header for _, header in labels} & core) == len(core)

    def test_no_value_shows_in_the_metrics(self, played: Played) -> None:
        """Nor a name that nobody may see."""
        assert _SECRET not in played.stack.client.get(played.stack.metrics_url).text

    def test_what_the_http_server_refuses_goes_nowhere(self, played: Played) -> None:
        """A header line that is none, or is too long: refused before anything of it is read."""
        refused = [seen for case, _, seen in played.seen if case.refused_by_server]
        assert len(refused) >= 3
        assert {seen.status for seen in refused} <= {400, 0}
        assert all(seen.received == () and seen.audit == [] for seen in refused)


HEADERS = f'{{"{FIELD}": {{"X-A": "1"}}}}'
COOKIE = f'{{"{FIELD}": {{"X-A": "1", "Cookie": "evil"}}}}'

# The header lines of a request, the status of the answer, and the values of X-A that reach the provider.
LINES: dict[str, tuple[list[bytes], int, list[str]]] = {
    "another case": ([provider_data(HEADERS, "x-ogx-PROVIDER-data")], 200, ["1"]),
    "underscores": ([provider_data(HEADERS, "X_OGX_Provider_Data")], 200, []),
    "dots": ([provider_data(HEADERS, "X.OGX.Provider.Data")], 200, []),
    "the earlier host's name": ([provider_data(HEADERS, "X-LlamaStack-Provider-Data")], 200, []),
    "a space before the colon": ([provider_data(HEADERS, "X-OGX-Provider-Data ")], 400, []),
    "a name in other letters": ([provider_data(HEADERS, "X-OGX-Prov\u0131der-Data")], 400, []),
    "no value": ([b"X-OGX-Provider-Data:"], 200, []),
    "white space around the value": ([b"X-OGX-Provider-Data: \t " + HEADERS.encode() + b" \t"], 200, ["1"]),
    "folded over two lines": (
        [HEADERS.replace(" {", "\r\n {").join(["X-OGX-Provider-Data: ", ""]).encode()],
        200,
        ["1"],
    ),
    "a blocked name in a folded line": (
        [COOKIE.replace(" {", "\r\n\t{").join(["X-OGX-Provider-Data: ", ""]).encode()],
        200,
        ["1"],
    ),
    "a line feed alone": ([provider_data(HEADERS) + b"\nX-Smuggled: 1"], 200, ["1"]),
    "NUL": ([provider_data(HEADERS) + b"\x00"], 400, []),
    "bytes that are no UTF-8": ([provider_data(HEADERS) + b"\xff"], 400, []),
    "twice": ([provider_data(COOKIE), provider_data(HEADERS.replace("1", "2"))], 400, []),
    "twice, the last one malformed": ([provider_data(HEADERS), provider_data("evil")], 400, []),
}


@pytest.mark.parametrize(("lines", "status", "values"), LINES.values(), ids=LINES)
def test_the_header_line_itself(stack: Stack, lines: list[bytes], status: int, values: list[str]) -> None:
    """However the line is written, what the host takes of it is decided like any other, and the rest is nothing.

    Two lines are malformed: the host takes the last, and a proxy in front may have read the first.
    """
    seen = send(stack, "on", *lines)

    assert seen.status == status
    assert [value for received in seen.received for value in received.values("x-a")] == values
    assert all(received.values("cookie") == received.values("x-smuggled") == [] for received in seen.received)
    assert _SECRET not in "".join(seen.log)
    assert _SECRET.encode() not in seen.answer


def _lines(received: ReceivedRequest) -> list[bytes]:
    return received.head.split(b"\r\n")


def _samples(series: Series, metric: str) -> Iterator[tuple[dict[str, str], float]]:
    return ((dict(labels), value) for (name, labels), value in series.items() if name == metric)
