"""The demo's HTTP client: chat messages to the server, and scrapes of its metrics."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from prometheus_client.parser import text_string_to_metric_families

from ...testing.loopback import request
from .hosts import Host
from .scenarios import PROVIDER_ID

type Series = tuple[str, frozenset[tuple[str, str]]]
"""Name and labels."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer that a caller got."""

    status: int
    error: str | None
    """The message of an OpenAI-style error."""
    seconds: tuple[float, float]
    """When the request was sent and when the answer had arrived, on one clock."""


def chat(
    host: Host, port: int, content: str, extra_headers: Mapping[str, str] | None = None, provider: str = PROVIDER_ID
) -> Reply:
    """Send one chat message with extra headers.

    Raises:
        NoAnswerError: there was no answer.

    """
    headers, body = host.ask(provider, content, extra_headers)
    headers["content-type"] = "application/json"
    started = time.perf_counter()
    status, answer = request("POST", port, "/v1/chat/completions", json.dumps(body), headers)
    seconds = (started, time.perf_counter())
    return Reply(status, None if status == 200 else _error_message(answer), seconds)


def _error_message(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return answer.decode(errors="replace")


@dataclass(frozen=True)
class Scrape:
    """The metrics at one moment."""

    text: str

    @cached_property
    def samples(self) -> dict[Series, float]:
        """The value of each series."""
        families = text_string_to_metric_families(self.text)
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def increases_since(self, earlier: "Scrape", name: str) -> dict[frozenset[tuple[str, str]], int]:
        """Return the increase of each series of a counter, by its labels, without those that did not grow."""
        before = earlier.samples
        grown = {
            labels: round(value - before.get((series, labels), 0))
            for (series, labels), value in self.samples.items()
            if series == name
        }
        return {labels: increase for labels, increase in grown.items() if increase}

    def lines(self, *names: str) -> list[str]:
        """Return the lines of the series with these names that are not zero."""
        lines = [line for line in self.text.splitlines() if line.partition("{")[0] in names]
        return [line for line in lines if float(line.rpartition(" ")[2])]


def scrape(port: int) -> Scrape:
    """Return the metrics as a Prometheus would scrape them now.

    Raises:
        NoAnswerError: there was no answer.

    """
    return Scrape(request("GET", port, "/metrics")[1].decode())
