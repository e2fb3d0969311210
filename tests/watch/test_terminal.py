"""`extra-headers watch` on a terminal: its screen, size, colours and end."""

import fcntl
import re
import signal
import struct
import termios
import time

from extra_headers.forwarding import Policy
from extra_headers.forwarding.testing.processes import free_port
from tests.watch.endpoint import SECONDS, Server, answering
from tests.watch.running import CONTROL, watching


class TestTerminal:
    """The screen, in a pseudo-terminal."""

    def test_shows_everything_and_gives_the_terminal_back(self, server: Server) -> None:
        """Decisions, names, the override attempt and policies are shown; Ctrl-C restores the old screen and cursor."""
        with server.serving() as url, watching(url, size=(40, 100), NO_COLOR="1") as watch:
            watch.wait_for(f"✓ {url}", "none since", "1 in total", "blocked", "authorization", Policy().digest)
            for _ in range(3):
                server.receive("other", {"Cookie": "the-secret"})
            watch.wait_for("other: cookie (credential); 4 in total", "1 up, 0 down")
            assert watch.end(signal.SIGINT) == 130
        assert "\x1b[?1049h" in watch.raw
        assert watch.raw.rindex("\x1b[?1049l") > watch.raw.rindex("\x1b[?1049h")
        assert watch.raw.rindex("\x1b[?25h") > watch.raw.rindex("\x1b[?25l")
        assert re.findall(r"\x1b\[[\d;]*3[0-7][\d;]*m", watch.raw) == []  # no colour, as NO_COLOR demands
        assert "Traceback" not in watch.raw
        assert "secret" not in watch.raw

    def test_fits_the_terminal_in_any_size(self, server: Server) -> None:
        """A picture follows the terminal: no line is wider and no picture is higher. A signal restores the screen."""
        with server.serving() as url, watching(url, size=(24, 80)) as watch:
            watch.wait_for("authorization")
            for size in ((10, 30), (60, 200), (3, 8)):
                fcntl.ioctl(watch._output, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
                watch.wait_for_pictures(2)  # the next one may have the size from before
                picture = re.sub(CONTROL, "", watch.raw.split("\x1b[H")[-2]).splitlines()
                assert len(picture) == size[0]
                assert max(map(len, picture)) <= size[1]
            assert watch.end(signal.SIGHUP) == 129
        assert watch.raw.rindex("\x1b[?1049l") > watch.raw.rindex("\x1b[?1049h")
        assert "Traceback" not in watch.raw

    def test_shows_lines_on_a_dumb_terminal(self, server: Server) -> None:
        """A terminal without cursor control gets the lines of a pipe."""
        with server.serving() as url, watching(url, size=(30, 80), TERM="dumb") as watch:
            watch.wait_for("override-attempt none since")
        assert "\x1b" not in watch.raw

    def test_shows_a_hostile_endpoint_as_text(self) -> None:
        """Markup and control codes from an endpoint have no effect."""
        labels = 'provider="[bold]x[/]\x1b[2J\x1b]0;owned\x07",decision="blocked",reason="[/nothing]"'
        body = f"extra_headers_decisions_total{{{labels}}} 9e15\n".encode()
        with answering(b"HTTP/1.1 200 OK\r\n\r\n", body) as url, watching(url, size=(30, 160)) as watch:
            watch.wait_for(r"[bold]x[/]\x1b[2J\x1b]0;owned\x07", "[/nothing]", "9e+15")
        assert "\x1b[2J" not in watch.raw.partition("\x1b[H")[2]
        assert "\x1b]0" not in watch.raw

    def test_waits_for_a_server(self) -> None:
        """Before there are numbers, the screen shows why."""
        url = f"http://127.0.0.1:{free_port()}/metrics"
        with watching(url, size=(24, 100)) as watch:
            watch.wait_for(f"✗ {url}  down since", "connection refused", "waiting for numbers")

    def test_ends_at_once_while_an_endpoint_hangs(self) -> None:
        """Ctrl-C does not wait for an answer."""
        with answering(close=False) as url, watching(url, size=(24, 100)) as watch:
            watch.wait_for(f"… {url}  not read yet", "0 up, 0 down")
            started = time.monotonic()
            assert watch.end(signal.SIGINT) == 130
        assert time.monotonic() - started < SECONDS / 20
