"""Reading endpoints: any server at the other end gives a result in bounded time and space."""

import time

import pytest

from extra_headers.forwarding.cli.watch import scrape
from extra_headers.forwarding.cli.watch.samples import Snapshot
from extra_headers.forwarding.cli.watch.scrape import BadUrlError, Reader, metrics_url, read_all
from extra_headers.forwarding.testing.processes import free_port
from tests.watch.endpoint import answering

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
_SERIES = b'extra_headers_decisions_total{provider="vllm",decision="blocked",reason="sdk"} 1\n'


def read(url: str) -> Snapshot | str:
    """Return the result of reading an endpoint once."""
    (result,) = read_all([Reader(url)], time.sleep)
    return result


def test_an_answer_becomes_a_snapshot() -> None:
    """Plain text with our series is read."""
    with answering(_HEAD, _SERIES) as url:
        snapshot = read(url)
    assert isinstance(snapshot, Snapshot)
    assert list(snapshot.counters.values()) == [1]


@pytest.mark.parametrize(
    ("chunks", "failure"),
    [
        ([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], "HTTP status 404"),
        ([b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"], "HTTP status 302"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "not an HTTP answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"], "truncated answer"),
        ([_HEAD, b"\xff\xfe\x00" * 100], "no extra_headers_ series"),
        ([_HEAD, b"extra_headers_decisions_total{\n"], "not in the Prometheus text format"),
    ],
)
def test_a_bad_answer_is_a_failure(chunks: list[bytes], failure: str) -> None:
    """The failure names what is wrong, and a redirect is not followed."""
    with answering(*chunks) as url:
        result = read(url)
    assert isinstance(result, str)
    assert result.startswith(failure)


def test_a_port_that_nothing_listens_on() -> None:
    """An endpoint that is down is a result, not an error of the program."""
    assert read(f"http://127.0.0.1:{free_port()}/metrics") == "connection refused"


def test_an_endless_answer_is_cut_off() -> None:
    """No more is read than the metrics of a server can have."""
    with answering(_HEAD, b"x" * 2**20, endless=True) as url:
        assert read(url) == "answer larger than 16 MiB"


@pytest.mark.parametrize("chunks", [[], [b"HTTP/1.1 200 OK\r\n"], [_HEAD, _SERIES]])
def test_silence_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, chunks: list[bytes]) -> None:
    """Reading ends in time, whichever part of the answer is missing."""
    monkeypatch.setattr(scrape, "SECONDS", 0.2)
    with answering(*chunks, close=False) as url:
        assert str(read(url)).startswith(("no answer within", "answer incomplete"))


def test_a_dripping_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that never ends is a failure at each reading, in time."""
    monkeypatch.setattr(scrape, "SECONDS", 0.2)
    with answering(_HEAD[:-2], b"X-Drip: " + b"d" * 60, drip=True) as url:
        reader = Reader(url)
        assert read_all([reader], time.sleep) == read_all([reader], time.sleep) == ["answer incomplete after 0 s"]


def test_urls() -> None:
    """A URL of a host is used as it is, and a host with a port is short for its metrics endpoint."""
    for url in ("http://127.0.0.1:9464/metrics", "https://metrics.example/a?b=c", "http://[::1]:9464", "HTTP://H/m"):
        assert metrics_url(url) == url
    assert metrics_url("127.0.0.1:9464") == "http://127.0.0.1:9464/metrics"
    assert metrics_url("replica-1.example:80") == "http://replica-1.example:80/metrics"
    assert metrics_url("[::1]:9464") == "http://[::1]:9464/metrics"
    assert metrics_url("localhost:9464/other") == "http://localhost:9464/other"


def test_what_is_not_a_url() -> None:
    """The message shows the text without control codes, and an example."""
    for url in (
        "",
        "localhost",
        "run.yaml",
        "/metrics",
        "localhost:0",
        "localhost:99999",
        "ftp://host/",
        "file:///etc/passwd",
        "http://",
        "http:///metrics",
        "http://host:0/",
        "http://host:x/",
        "http://[::1/",
        "http://ho st/",
        "http://host/\x1b[31m",
        "http://host/é",
        "http://host/\r\nX: y",
    ):
        with pytest.raises(BadUrlError, match="is not a URL; expected e") as raised:
            metrics_url(url)
        assert str(raised.value).isprintable()


def test_a_password_is_not_shown() -> None:
    """A URL with a user name is refused without being repeated."""
    with pytest.raises(BadUrlError) as raised:
        metrics_url("http://me:the-secret@host/")
    assert "secret" not in str(raised.value)
