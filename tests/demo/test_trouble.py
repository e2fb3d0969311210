"""The errors of `extra-headers demo`: a port in use, a server that ends, missing programs."""

import re
import socket
import sys
from pathlib import Path

import pytest

from extra_headers.forwarding.cli.demo import command
from tests.demo.running import exit_code, free_ports, port_options


def install_fake_ogx(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make `script` the OGX server of this environment; its third argument is the run config."""
    executable = directory / "ogx"
    executable.write_text(f"#!{sys.executable}\n{script}")
    executable.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(directory / "python"))


class TestTrouble:
    """Each error is one message for the person who must act."""

    def test_a_port_in_use(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The message names the port and the option that changes it, and nothing is started."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            for option in ("--port", "--upstream-port", "--metrics-port"):
                assert exit_code("demo", *port_options(), option, str(port)) == 2
                message = f"cannot listen on port {port} (Address already in use); choose another one with {option}"
                assert capsys.readouterr() == ("", f"extra-headers demo: {message}\n")

    def test_one_port_for_two(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Two parts cannot listen on the same port."""
        (port,) = free_ports(1)
        assert exit_code("demo", *port_options(), "--port", str(port), "--metrics-port", str(port)) == 2
        assert f"--port and --metrics-port are both {port}; choose different ports" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("host", "name", "extras"), [("ogx", "OGX", "ogx"), ("litellm", "LiteLLM", "litellm,otlp")]
    )
    def test_a_host_that_is_not_installed(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, host: str, name: str, extras: str
    ) -> None:
        """The message has the command that helps."""
        monkeypatch.setattr(command, "find_spec", lambda _: None)
        assert exit_code("demo", "--host", host) == 1
        message = f"the demo requires {name}; install it with: pip install 'extra-headers-forwarding[{extras}]'"
        assert capsys.readouterr() == ("", f"extra-headers demo: {message}\n")

    def test_missing_programs(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without Prometheus, `--prometheus` names what to install, before anything starts."""
        monkeypatch.setenv("PATH", str(tmp_path))
        assert exit_code("demo", "--prometheus", *port_options()) == 2
        output, errors = capsys.readouterr()
        assert output == ""
        assert "not installed: prometheus and prometheus-alertmanager" in errors
        assert "apt-get install prometheus prometheus-alertmanager" in errors

    def test_a_server_that_dies(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The message contains the server's exit code and its last log lines."""
        install_fake_ogx(tmp_path, monkeypatch, "import sys; print('no such module: vectors'); sys.exit(3)")
        assert exit_code("demo", *port_options()) == 1
        assert capsys.readouterr().err == (
            "extra-headers demo: the server ended with exit code 3:\nno such module: vectors\n"
        )

    def test_a_server_that_stops_answering(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that is ready but then does not answer is reported with its last log lines."""
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
        """Without OGX, the message says how to install it."""
        monkeypatch.setitem(sys.modules, "ogx", None)
        assert exit_code("demo") == 1
        assert "install it with: pip install 'extra-headers-forwarding[ogx]'" in capsys.readouterr().err
