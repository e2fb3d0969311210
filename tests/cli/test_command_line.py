"""The group `extra-headers` and its options: bad input, help and version."""

import re
import subprocess
import sys

import pytest

from tests.cli.conftest import Invoke


class TestCommandLine:
    """The group and its options."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("dmo",), "extra-headers: No such command 'dmo'"),
            (("--loud",), "extra-headers: No such option '--loud'"),
            (("demo", "--prot", "1"), "extra-headers demo: No such option '--prot'"),
            (("demo", "now"), "extra-headers demo: Got unexpected extra argument (now)"),
            (
                ("demo", "--port", "http"),
                "extra-headers demo: Invalid value for '--port': 'http' is not a valid integer",
            ),
            (("demo", "--port", "70000"), "extra-headers demo: Invalid value for '--port': 70000 is not in the range"),
        ],
    )
    def test_bad_input(self, invoke: Invoke, arguments: tuple[str, ...], message: str) -> None:
        """Bad input is answered with what is wrong, the command that prints the help, and exit code 2."""
        done = invoke(*arguments)
        assert (done.exit_code, done.out, done.err.count("\n")) == (2, "", 2)
        assert done.err.endswith(f"\nTry '{done.err.partition(':')[0]} --help'.\n")
        assert done.err.startswith(message)

    @pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
    def test_help(self, invoke: Invoke, arguments: tuple[str, ...]) -> None:
        """Help, also for a bare command, says what it is for and gives an example."""
        done = invoke(*arguments)
        assert done.exit_code == 0
        assert "module: extra_headers.forwarding" in done.out
        assert "extra-headers demo --keep" in done.out

    def test_help_of_the_demo(self, invoke: Invoke) -> None:
        """Its help names the defaults and gives an example."""
        done = invoke("demo", "--help")
        assert done.exit_code == 0
        assert "extra-headers demo --port 8400" in done.out
        assert "[default: 8321;" in done.out

    def test_version(self, invoke: Invoke) -> None:
        """The version is the distribution's."""
        done = invoke("--version")
        assert done == invoke("-V")
        assert done.exit_code == 0
        assert re.fullmatch(r"extra-headers \d+\.\d+\.\d+\n", done.out)

    def test_help_is_quick(self) -> None:
        """Help loads none of the libraries that only running something needs."""
        program = (
            "import sys; from extra_headers.forwarding.cli import main\n"
            "try: main(['--help'])\n"
            "finally: print(*{name.partition('.')[0] for name in sys.modules})"
        )
        shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours
        assert not {"rich", "yaml", "opentelemetry", "openai", "httpx", "ogx"} & set(
            shown.stdout.splitlines()[-1].split()
        )
