"""`extra-headers watch` on a terminal: what the screen shows, its size, its colours, and its end."""

import fcntl
import re
import signal
import struct
import termios

import pytest

from extra_headers.forwarding import Policy
from extra_headers.forwarding.testing.processes import free_port
from tests.watch.endpoint import Server, answering, wait_until
from tests.watch.running import CONTROL, watching


class TestTerminal:
    """The screen, in a pseudo-terminal."""

    def test_shows_everything_and_gives_the_terminal_back(self, server: Server) -> None:
        """Decisions, names, the override attempt and the policies; after Ctrl-C the old screen and cursor are back."""
        with server.serving() as url, watching(url, size=(40, 100)) as watch:
            watch.wait_for(f"✓ {url}", "none since", "1 in the counters", "blocked", "authorization", Policy().digest)
            for _ in range(3):
                server.receive("other", {"Cookie": "the-secret"})
            watch.wait_for("other: cookie (credential); 4 in the counters")
            assert all(len(line) <= 100 for line in watch.screen.splitlines())
            assert watch.end(signal.SIGINT) == 130
        assert "\x1b[?1049h" in watch.raw
        assert watch.raw.rindex("\x1b[?1049l") > watch.raw.rindex("\x1b[?1049h")
        assert watch.raw.rindex("\x1b[?25h") > watch.raw.rindex("\x1b[?25l")
        assert "Traceback" not in watch.raw
        assert "secret" not in watch.raw

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_gives_the_terminal_back_on_other_signals(self, server: Server, number: signal.Signals) -> None:
        """However it is ended, with the exit code of that signal."""
        with server.serving() as url, watching(url, size=(24, 80)) as watch:
            watch.wait_for("authorization")
            assert watch.end(number) == 128 + number
        assert watch.raw.rindex("\x1b[?1049l") > watch.raw.rindex("\x1b[?1049h")

    @pytest.mark.parametrize("size", [(24, 80), (10, 30), (60, 200), (3, 8)])
    def test_fits_any_terminal(self, server: Server, size: tuple[int, int]) -> None:
        """No line is wider and no picture higher than the terminal."""
        with server.serving() as url, watching(url, size=size) as watch:
            wait_until(lambda: watch.raw.count("\x1b[H") > 6, lambda: watch.raw)
            complete = re.sub(CONTROL, "", watch.raw.split("\x1b[H")[-2]).splitlines()
            assert watch.end(signal.SIGINT) == 130
        assert len(complete) <= size[0]
        assert max(map(len, complete)) <= size[1]
        assert "Traceback" not in watch.raw

    def test_follows_the_size_of_the_terminal(self, server: Server) -> None:
        """A terminal that becomes wide shows names beside decisions."""
        with server.serving() as url, watching(url, size=(30, 80)) as watch:
            watch.wait_for("Top blocked names")
            fcntl.ioctl(watch._output, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 160, 0, 0))
            side_by_side = r"Decisions .*Top blocked names"
            wait_until(lambda: re.search(side_by_side, watch.screen) is not None, lambda: watch.screen)

    def test_honours_no_color(self, server: Server) -> None:
        """With NO_COLOR there may be bold text, and no colour."""
        with server.serving() as url, watching(url, size=(30, 80), NO_COLOR="1") as watch:
            watch.wait_for("authorization")
            colours = re.findall(r"\x1b\[[\d;]*3[0-7][\d;]*m", watch.raw)
        assert colours == []

    def test_shows_lines_on_a_dumb_terminal(self, server: Server) -> None:
        """A terminal that cannot be drawn on gets the lines of a pipe."""
        with server.serving() as url, watching(url, size=(30, 80), TERM="dumb") as watch:
            watch.wait_for("override-attempt none since")
        assert "\x1b" not in watch.raw

    def test_shows_a_hostile_endpoint_as_text(self) -> None:
        """Markup and control codes of an endpoint do nothing."""
        labels = 'provider="[bold]x[/]\x1b[2J\x1b]0;owned\x07",decision="blocked",reason="[/nothing]"'
        body = f"extra_headers_decisions_total{{{labels}}} 1e308\n".encode()
        with answering(b"HTTP/1.1 200 OK\r\n\r\n", body) as url, watching(url, size=(30, 160)) as watch:
            watch.wait_for(r"[bold]x[/]\x1b[2J\x1b]0;owned\x07", "[/nothing]", "1e+308")
        assert "\x1b[2J" not in watch.raw.partition("\x1b[H")[2]
        assert "\x1b]0" not in watch.raw

    def test_waits_for_a_server(self) -> None:
        """Before there is anything to show, it says what is missing."""
        url = f"http://127.0.0.1:{free_port()}/metrics"
        with watching(url, size=(24, 100)) as watch:
            watch.wait_for(f"✗ {url}  down since", "nothing listens there", "waiting for numbers")
