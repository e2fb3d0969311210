"""The output of a complete run of `extra-headers demo`: scenarios, counters and a span."""

import re
from collections.abc import Iterator

import pytest

from extra_headers.forwarding.cli.demo.scenarios import SCENARIOS
from tests.demo.running import SECONDS, RunningDemo


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Return a demo that has run to its end."""
    with RunningDemo(tmp_path_factory.mktemp("demo")) as demo:
        code = demo.end()
        assert code == 0, demo.output + demo.errors
        yield demo


EXPECTED = {
    "1  An allowed header": [
        'sent      X-OGX-Provider-Data: {"vllm_extra_headers": {"X-MAAS-SUBSCRIPTION": "free-tier"}}',
        "decided   ✓ forwarded  X-MAAS-SUBSCRIPTION  allowed: passes the policy",
        "counted   +1 forwarded/allowed   +1 request clean",
        "received  POST /v1/chat/completions HTTP/1.1",
        "authorization: Bearer the-providers-own-key   the provider's own key",
        "x-maas-subscription: free-tier   the caller's extra header",
    ],
    "2  No extra headers": [
        "sent      no X-OGX-Provider-Data",
        "decided   nothing",
        "counted   nothing",
        "received  authorization: Bearer the-providers-own-key   the provider's own key",
        "fields that every call has",
    ],
    "3  An Authorization override": [
        "decided   ✗ blocked    Authorization        credential: the server holds the provider's",
        "✓ forwarded  X-MAAS-SUBSCRIPTION  allowed",
        "counted   +1 forwarded/allowed   +1 blocked/credential   +1 request filtered",
        "received  authorization: Bearer the-providers-own-key   the provider's own key",
        "x-maas-subscription: free-tier",
    ],
    "4  An underscore spoof": [
        "decided   ✗ blocked  X_Forwarded_For  client_identity: only trusted proxies",
        "(x-forwarded-*)",
        "counted   +1 blocked/client_identity   +1 request filtered",
    ],
    "5  A CRLF injection": [
        r'{"X-Note": "hello\r\nAuthorization: Bearer',
        "decided   ✗ malformed  X-Note  value: a header value must be printable ASCII",
        "counted   +1 malformed/value   +1 request rejected",
        "answered  400  extra headers for provider 'vllm' rejected, nothing was sent to the provider",
        "received  nothing: the server sent no request to the provider",
    ],
    "6  Two tenants at once": [
        'sent      10 x X-OGX-Provider-Data: {"vllm_extra_headers": {"X-Tenant": "acme-corp"}}',
        '10 x X-OGX-Provider-Data: {"vllm_extra_headers": {"X-Tenant": "globex-corp"}}',
        "counted   +20 forwarded/allowed   +20 requests clean",
        "received  10 x x-tenant: acme-corp",
        "10 x x-tenant: globex-corp",
        "each call with its own caller's header, the provider's own key and nothing else",
    ],
    "7  Identity headers and a shadow policy": [
        'policy    {"set": {"x-user": "${user.id}"}, "shadow": {"allow": ["x-maas-*"], "on_blocked":',
        "decided   ✗ blocked    X_User        override: the outbound request already carries it",
        "✓ forwarded  X-Experiment  allowed: passes the policy",
        "shadow    ✗ blocked  X-Experiment  not_allowed: the operator's allow list does not name it",
        "+1 identity header",
        "+1 shadow blocked/not_allowed",
        "x-user: alice",
    ],
}


class TestRun:
    """A complete run, in a pipe."""

    def test_passes_in_time_and_leaves_nothing_behind(self, finished: RunningDemo) -> None:
        """It ends in time with a summary, writes nothing to stderr, and leaves no process and no file."""
        assert finished.seconds < SECONDS
        assert finished.errors == ""
        summary = r"^✓ Passed in \d+ s: 26 calls, 4 headers stopped, no header value in \d+ kB of telemetry and log$"
        assert re.search(summary, finished.output, re.MULTILINE)
        assert "UNEXPECTED" not in finished.output
        assert finished.left_behind() == ([], [])

    def test_is_plain_text_in_a_pipe(self, finished: RunningDemo) -> None:
        """Without a terminal there are no colours or control codes, no padding, and no line over 100 columns."""
        assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f\x9b]", finished.output) == []
        *lines, command = finished.lines
        assert command.endswith("--keep")  # to be copied, so never broken
        assert [line for line in lines if line != line.rstrip() or len(line) > 100] == []

    def test_reports_progress_while_the_server_starts(self, finished: RunningDemo) -> None:
        """In a pipe, lines report how long the server has been starting, and when it was ready."""
        assert re.search(r"^  starting OGX [\d.]+ … [1-9]\d* s$", finished.output, re.MULTILINE)
        assert re.search(r"^✓ OGX [\d.]+ .* ready after \d+ s$", finished.output, re.MULTILINE)

    def test_shows_the_run_config_with_our_lines_marked(self, finished: RunningDemo) -> None:
        """The two lines that load the add-on and switch it on are marked in the provider's entry."""
        marked = [line for line in finished.section("The run config").splitlines() if line.startswith("▶")]
        assert [line.strip("▶ ") for line in marked] == ["module: extra_headers.forwarding", "extra_headers: true"]

    def test_shows_every_scenario(self, finished: RunningDemo) -> None:
        """Each scenario shows what was sent, decided and why, counted, and received by the provider."""
        headings = [line.rstrip(" ─") for line in finished.lines if re.match(r"\d  ", line)]
        assert headings == list(EXPECTED) == [f"{n}  {s.title}" for n, s in enumerate(SCENARIOS, start=1)]
        sections = {heading: finished.section(heading) for heading in EXPECTED}
        missing = [(h, line) for h, lines in EXPECTED.items() for line in lines if line not in sections[h]]
        assert missing == []

    def test_shows_the_counters(self, finished: RunningDemo) -> None:
        """The series that are not zero are printed as they were scraped, and add up to the scenarios."""
        lines = finished.section("The counters").splitlines()[2:]
        assert {re.sub(r"provider=\"vllm(-identity)?\",?", "", line.strip()) for line in lines} == {
            'extra_headers_decisions_total{decision="forwarded",reason="allowed"} 22.0',
            'extra_headers_decisions_total{decision="forwarded",reason="allowed"} 1.0',
            'extra_headers_decisions_total{decision="blocked",reason="override"} 1.0',
            'extra_headers_requests_total{outcome="filtered",} 1.0',
            'extra_headers_identity_headers_total{header="x-user",result="sent"} 1.0',
            'extra_headers_decisions_total{decision="blocked",reason="credential"} 1.0',
            'extra_headers_decisions_total{decision="blocked",reason="client_identity"} 1.0',
            'extra_headers_decisions_total{decision="malformed",reason="value"} 1.0',
            'extra_headers_requests_total{outcome="clean",} 21.0',
            'extra_headers_requests_total{outcome="filtered",} 2.0',
            'extra_headers_requests_total{outcome="rejected",} 1.0',
        }

    def test_shows_the_rule_behind_each_decision(self, finished: RunningDemo) -> None:
        """The rules are those that `extra-headers explain` prints, with the source of a core rule."""
        section = " ".join(finished.section("Why").split())
        assert "extra-headers explain run.yaml --provider vllm" in section
        assert "Authorization blocked: core blocklist: RFC 9110 section 11.6.2" in section
        assert "X-MAAS-SUBSCRIPTION forwarded: nothing blocks it" in section

    def test_shows_a_span(self, finished: RunningDemo) -> None:
        """The span of a request is printed as it was exported, with the decisions."""
        section = finished.section("A span")
        assert re.search(r"SERVER POST \S*  trace [0-9a-f]{32}  span [0-9a-f]{16}$", section, re.MULTILINE)
        for attribute in (
            r'extra_headers\.blocked\.names +\["Authorization"\]',
            r'extra_headers\.blocked\.reasons +\["credential"\]',
            r'extra_headers\.forwarded\.names +\["X-MAAS-SUBSCRIPTION"\]',
            r"extra_headers\.outcome +filtered",
            r"extra_headers\.provider +vllm",
        ):
            assert re.search(attribute, section)
