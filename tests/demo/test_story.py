"""The story that `extra-headers demo` tells: every scene, counter and span of a complete run."""

import re
from collections.abc import Iterator, Sequence

import pytest

from extra_headers.forwarding.cli.demo.scenarios import SCENES
from tests.demo.running import SECONDS, RunningDemo
from tests.docs.pages import ROOT, blocks


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Return a demo that has run to its end."""
    with RunningDemo(tmp_path_factory.mktemp("demo")) as demo:
        code = demo.end()
        assert code == 0, demo.output + demo.errors
        yield demo


class TestStory:
    """What a complete run shows, in a pipe."""

    def test_takes_less_than_a_minute_and_complains_of_nothing(self, told: RunningDemo) -> None:
        """A run ends in time, with nothing on stderr and a line that says all went as told."""
        assert told.seconds < SECONDS
        assert told.errors == ""
        assert re.search(
            r"^✓ All as told in \d+ s: 26 calls, 4 headers stopped, no header value", told.output, re.MULTILINE
        )

    def test_leaves_nothing_behind(self, told: RunningDemo) -> None:
        """Afterwards neither a process nor a temporary file is left."""
        assert told.left_behind() == ([], [])

    def test_is_plain_text_in_a_pipe(self, told: RunningDemo) -> None:
        """Without a terminal there are no colours or control codes, no padding, and no line over 100 columns."""
        assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f\x9b]", told.output) == []
        *lines, command = told.lines
        assert command.endswith("--keep")  # to be copied, so never broken
        assert [line for line in lines if line != line.rstrip() or len(line) > 100] == []

    def test_shows_progress_while_the_server_starts(self, told: RunningDemo) -> None:
        """In a pipe, lines say that the server is starting, and after how long it was ready."""
        assert re.search(r"starting OGX [\d.]+\n  still starting after \d s\n", told.output)
        assert re.search(r"^✓ OGX [\d.]+ .* ready after \d+ s$", told.output, re.MULTILINE)

    def test_shows_the_run_config_with_our_lines_marked(self, told: RunningDemo) -> None:
        """The provider's entry is shown, and the two lines that make the difference stand out."""
        marked = [line for line in told.section("The run config").splitlines() if line.startswith("▶")]
        assert [line.strip("▶ ") for line in marked] == ["module: extra_headers.forwarding", "extra_headers: true"]

    def test_tells_every_scene_in_order(self, told: RunningDemo) -> None:
        """Each scene has its heading and is as told."""
        headings = [line.rstrip(" ─") for line in told.lines if re.match(r"\d  ", line)]
        assert headings == [f"{number}  {scene.title}" for number, scene in enumerate(SCENES, start=1)]
        assert "NOT AS TOLD" not in told.output

    @pytest.mark.parametrize(
        ("heading", "lines"),
        [
            (
                "1  A header that passes",
                [
                    'sent      X-OGX-Provider-Data: {"vllm_extra_headers": {"X-MAAS-SUBSCRIPTION": "free-tier"}}',
                    "decided   ✓ forwarded  X-MAAS-SUBSCRIPTION  allowed: passes the policy",
                    "counted   +1 forwarded/allowed   +1 request clean",
                    "received  POST /v1/chat/completions HTTP/1.1",
                    "authorization: Bearer the-providers-own-key   the provider's own key",
                    "x-maas-subscription: free-tier   the caller's extra header",
                ],
            ),
            (
                "2  No extra headers",
                [
                    "sent      no X-OGX-Provider-Data",
                    "decided   nothing",
                    "counted   nothing",
                    "received  authorization: Bearer the-providers-own-key   the provider's own key",
                    "other fields of every call",
                ],
            ),
            (
                "3  An Authorization override",
                [
                    "decided   ✗ blocked    Authorization        credential: the server holds the provider's",
                    "✓ forwarded  X-MAAS-SUBSCRIPTION  allowed",
                    "counted   +1 forwarded/allowed   +1 blocked/credential   +1 request filtered",
                    "received  authorization: Bearer the-providers-own-key   the provider's own key",
                    "x-maas-subscription: free-tier",
                ],
            ),
            (
                "4  An underscore spoof",
                [
                    "decided   ✗ blocked  X_Forwarded_For  client_identity: only trusted proxies",
                    "(x-forwarded-*)",
                    "counted   +1 blocked/client_identity   +1 request filtered",
                ],
            ),
            (
                "5  A CRLF injection",
                [
                    r'{"X-Note": "hello\r\nAuthorization: Bearer',
                    "decided   ✗ malformed  X-Note  value: a header value must be printable ASCII",
                    "counted   +1 malformed/value   +1 request rejected",
                    "answered  400  extra headers for provider 'vllm' rejected, nothing was sent to the provider",
                    "received  nothing: the request never left the server",
                ],
            ),
            (
                "6  Two tenants at once",
                [
                    'sent      10 x X-OGX-Provider-Data: {"vllm_extra_headers": {"X-Tenant": "acme-corp"}}',
                    '10 x X-OGX-Provider-Data: {"vllm_extra_headers": {"X-Tenant": "globex-corp"}}',
                    "counted   +20 forwarded/allowed   +20 requests clean",
                    "received  10 x x-tenant: acme-corp",
                    "10 x x-tenant: globex-corp",
                    "each call with its own caller's header and the provider's own key, and no other",
                ],
            ),
            (
                "7  A user, and a policy on trial",
                [
                    'policy    {"set": {"x-user": "${user.id}"}, "shadow": {"allow": ["x-maas-*"], "on_blocked":',
                    "decided   ✗ blocked    X_User   override: the outbound request already carries it",
                    "✓ forwarded  X-Trial  allowed: passes the policy",
                    "shadow    ✗ blocked  X-Trial  not_allowed: the operator's allow list does not name it",
                    "+1 set by the server",
                    "+1 shadow blocked/not_allowed",
                    "x-user: alice",
                ],
            ),
        ],
    )
    def test_tells_a_scene(self, told: RunningDemo, heading: str, lines: Sequence[str]) -> None:
        """A scene shows what was sent, decided and why, counted, and received by the provider."""
        section = told.section(heading)
        assert [line for line in lines if line not in section] == []

    def test_is_what_the_readme_shows(self, told: RunningDemo) -> None:
        """The excerpt in README.md is of this output, line by line."""
        (excerpt,) = [block for block in blocks(ROOT / "README.md") if block.language == "text"]
        assert excerpt.text in told.output + "\n"

    def test_shows_the_counters(self, told: RunningDemo) -> None:
        """The series that are not zero stand there as they were scraped, and add up to the story."""
        shown = told.section("The counters").splitlines()[2:]
        assert {re.sub(r"provider=\"vllm(-told)?\",?", "", line.strip()) for line in shown} == {
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

    def test_shows_the_rule_behind_each_decision(self, told: RunningDemo) -> None:
        """As `extra-headers explain` finds it in the run config, with the source of an entry of the core blocklist."""
        section = " ".join(told.section("Why").split())
        assert "extra-headers explain run.yaml --provider vllm" in section
        assert "Authorization blocked: core blocklist: RFC 9110 section 11.6.2" in section
        assert "X-MAAS-SUBSCRIPTION forwarded: nothing blocks it" in section

    def test_shows_a_client_span(self, told: RunningDemo) -> None:
        """A CLIENT span is shown as it was exported, with the decisions about its call."""
        section = told.section("A span")
        assert re.search(r"CLIENT POST +trace [0-9a-f]{32}  span [0-9a-f]{16}$", section, re.MULTILINE)
        for attribute in (
            r'extra_headers\.blocked\.names +\["Authorization"\]',
            r'extra_headers\.blocked\.reasons +\["credential"\]',
            r'extra_headers\.forwarded\.names +\["X-MAAS-SUBSCRIPTION"\]',
            r"extra_headers\.outcome +filtered",
            r"extra_headers\.provider +vllm",
        ):
            assert re.search(attribute, section)
