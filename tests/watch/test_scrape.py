"""Reading endpoints: whatever is at the other end, there is an answer in bounded time and space."""

import pytest

from extra_headers.forwarding.cli.watch import scrape
from extra_headers.forwarding.cli.watch.samples import Snapshot
from extra_headers.forwarding.cli.watch.scrape import BadUrlError, Reader, check_url
from extra_headers.forwarding.testing.processes import free_port
from tests.watch.endpoint import answering, wait_until

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
_SERIES = b'extra_headers_decisions_total{provider="vllm",decision="blocked",reason="sdk"} 1\n'


def read(url: str) -> Snapshot | str:
    """Return what comes of reading an endpoint once."""
    reader, results = Reader(url), list[Snapshot | str]()
    reader.start()

    def is_there() -> bool:
        result = reader.result()
        results.extend([] if result is None else [result])
        return bool(results)

    wait_until(is_there, lambda: "no result")
    return results[0]


def test_an_answer_becomes_a_snapshot() -> None:
    """Plain text with our series is read."""
    with answering(_HEAD, _SERIES) as url:
        snapshot = read(url)
    assert isinstance(snapshot, Snapshot)
    assert list(snapshot.counters.values()) == [1]


@pytest.mark.parametrize(
    ("chunks", "failure"),
    [
        ([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], "it answered 404"),
        ([b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"], "it answered 302"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "its answer is not HTTP"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"], "its answer is cut short"),
        ([_HEAD, b"\xff\xfe\x00" * 100], "no extra_headers_ series there"),
        ([_HEAD, b"extra_headers_decisions_total{\n"], "its answer is not in the Prometheus text format"),
    ],
)
def test_a_bad_answer_is_told_in_a_sentence(chunks: list[bytes], failure: str) -> None:
    """What is no metrics endpoint of a server is said to be none, and a redirect is not followed."""
    with answering(*chunks) as url:
        result = read(url)
    assert isinstance(result, str)
    assert result.startswith(failure)


def test_nobody_there_is_told() -> None:
    """A port that nothing listens on is no error of the program."""
    assert read(f"http://127.0.0.1:{free_port()}/metrics") == "nothing listens there"


def test_an_endless_answer_is_cut_off() -> None:
    """No more is read than a server's metrics can have."""
    with answering(_HEAD, b"x" * 2**20, endless=True) as url:
        assert read(url) == "its answer is larger than 16 MiB"


@pytest.mark.parametrize("chunks", [[], [_HEAD], [b"HTTP/1.1 200 OK\r\n"], [_HEAD, _SERIES]])
def test_silence_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, chunks: list[bytes]) -> None:
    """Whichever part of the answer does not come, the reading ends in time."""
    monkeypatch.setattr(scrape, "SECONDS", 0.2)
    with answering(*chunks, close=False) as url:
        assert str(read(url)).startswith(("no answer within", "its answer is not complete"))


def test_a_dripping_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is one whose every byte is in time and whose last one is not; and it is not asked for twice."""
    monkeypatch.setattr(scrape, "SECONDS", 0.5)
    with answering(b"HTTP/1.1 200 OK\r\n", b"X-Drip: drip\r\n", endless=True) as url:
        assert isinstance(read(url), str)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9464/metrics", "https://metrics.example/a?b=c", "http://[::1]:9464", "HTTP://HOST/metrics"],
)
def test_urls_that_can_be_read(url: str) -> None:
    """A URL of a host is taken as it is."""
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:9464",
        "localhost:9464/metrics",
        "/metrics",
        "ftp://host/metrics",
        "file:///etc/passwd",
        "http://",
        "http:///metrics",
        "http://host:0/",
        "http://host:99999/",
        "http://host:x/",
        "http://[::1/",
        "http://ho st/",
        "http://host/\x1b[31m",
        "http://host/é",
        "http://host/\r\nX: y",
    ],
)
def test_urls_that_cannot(url: str) -> None:
    """Anything else is refused with an example, and shows no control code."""
    with pytest.raises(BadUrlError, match=r"write it like http://127\.0\.0\.1:9464/metrics") as raised:
        check_url(url)
    assert str(raised.value).isprintable()


def test_a_password_is_not_repeated() -> None:
    """A URL with a user name is refused without showing it."""
    with pytest.raises(BadUrlError) as raised:
        check_url("http://me:secret@host/metrics")
    assert str(raised.value) == "a URL with a user name or password is not supported"
