"""What `extra-headers demo` says when it cannot run: a taken port, a server that dies, no OGX."""

import re
import socket
import sys
from pathlib import Path

import pytest

from tests.demo.running import exit_code, free_ports, port_options


def install_fake_ogx(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make `script` the OGX server of this environment; its third argument is the run config."""
    executable = directory / "ogx"
    executable.write_text(f"#!{sys.executable}\n{script}")
    executable.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(directory / "python"))


class TestTrouble:
    """What can go wrong is told in a sentence for the person who must act."""

    @pytest.mark.parametrize("option", ["--port", "--upstream-port", "--metrics-port"])
    def test_a_taken_port(self, capsys: pytest.CaptureFixture[str], option: str) -> None:
        """The message names the port and the option that changes it, and nothing is started."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            assert exit_code("demo", *port_options(), option, str(port)) == 2
        assert capsys.readouterr() == (
            "",
            f"extra-headers demo: port {port} is taken by another process; choose a free one with {option}\n",
        )

    def test_one_port_for_two(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Two parts cannot listen on the same port."""
        (port,) = free_ports(1)
        assert exit_code("demo", *port_options(), "--port", str(port), "--metrics-port", str(port)) == 2
        assert f"port {port} is given twice; choose another one with --port" in capsys.readouterr().err

    def test_a_server_that_dies(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The message holds the server's exit code and its last words."""
        install_fake_ogx(tmp_path, monkeypatch, "import sys; print('no such module: vectors'); sys.exit(3)")
        assert exit_code("demo", *port_options()) == 1
        assert capsys.readouterr().err == (
            "extra-headers demo: the server ended with exit code 3:\nno such module: vectors\n"
        )

    def test_a_server_that_stops_answering(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that is up but does not do its part is told with its last words, not with a traceback."""
        options = port_options()
        script = f"""
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        print("last words", flush=True)

HTTPServer(("127.0.0.1", {options[1]}), Handler).serve_forever()
"""
        install_fake_ogx(tmp_path, monkeypatch, script)
        assert exit_code("demo", *options) == 1
        message = r"extra-headers demo: the server stopped answering \(GET /metrics: ConnectionRefused.*\):\nlast words"
        assert re.match(message, capsys.readouterr().err)

    def test_no_ogx(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Without OGX the message says how to install it."""
        monkeypatch.setitem(sys.modules, "ogx", None)
        assert exit_code("demo") == 1
        assert "install it with: pip install 'extra-headers-forwarding[ogx]'" in capsys.readouterr().err
