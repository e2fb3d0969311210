"""docs/quick-start.md, step by step as a reader takes it, on free ports: a provider, a real server, every command.

The programs of docs/calling.md call the same server. LangChain is too large a dependency. Its program was run by hand
against the server of the quick start, in a fresh environment with `pip install langchain-openai` (1.7.4). Here, its
call is compared with the others.
"""

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from extra_headers.forwarding.testing.processes import ServerProcess, free_port
from tests.docs.pages import ROOT, Block, blocks
from tests.docs.test_blocks import is_checked_for_form
from tests.waiting import wait_until

PAGE = blocks(ROOT / "docs" / "quick-start.md")
CALLING = blocks(ROOT / "docs" / "calling.md")
_OPENAI_FOR_JAVASCRIPT = "openai@6.49.0"
_START_SECONDS = 240.0


class Reader:
    """Somebody who works through the page in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = {port: str(free_port()) for port in ("9001", "8321", "9464")}
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(directory),
            "OGX_METRICS_PORT": self.ports["9464"],
        }
        self._running = ExitStack()

    def text(self, block: Block) -> str:
        """Return a block with free ports."""
        text = block.text
        for port, free in self.ports.items():
            text = text.replace(port, free)
        return text

    def save(self, block: Block) -> None:
        """Save a block as the file that its first line names."""
        (self.directory / block.file_name).write_text(self.text(block))

    def start(self, command: str, ready: str) -> None:
        """Start a server and wait until it answers."""
        log = self.directory / f"{len(list(self.directory.glob('*.log')))}.log"
        server = ServerProcess(
            command,
            ["/bin/bash", "-c", f"cd {self.directory} && exec env {command}"],
            ready,
            log,
            environment=self._environment,
            timeout=_START_SECONDS,
        )
        self._running.enter_context(server)

    def run(self, command: str) -> str:
        """Run a command to its end and return what it wrote."""
        done = subprocess.run(  # noqa: S603 - our own documentation
            ["/bin/bash", "-euo", "pipefail", "-c", command],
            cwd=self.directory,
            env=os.environ | self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def received(self) -> str:
        """What the provider printed."""
        return (self.directory / "0.log").read_text()

    def wait_for(self, lines: list[str], output: str) -> None:
        """Wait until each of `lines` is in `output` or among what the provider printed."""

        def missing() -> list[str]:
            seen = (output + self.received).splitlines()
            return [line for line in lines if line not in seen]

        wait_until(lambda: not missing(), lambda: f"{missing()} in {output}{self.received}")

    def close(self) -> None:
        """End the servers."""
        self._running.close()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Return a reader whose servers run: steps 1 to 4."""
    reader = Reader(tmp_path_factory.mktemp("quick-start"))
    try:
        for block in PAGE:
            if block.file_name:
                reader.save(block)
        install, start, *_ = [block for block in PAGE if block.language == "shell"]
        assert is_checked_for_form(shlex.split(install.text.splitlines()[-1]))
        provider, server = reader.text(start).splitlines()
        reader.start(provider.removesuffix(" &"), f"http://127.0.0.1:{reader.ports['9001']}/v1/models")
        reader.start(server, f"http://127.0.0.1:{reader.ports['8321']}/v1/health")
        yield reader
    finally:
        reader.close()


def test_the_steps_do_what_the_page_says(reader: Reader) -> None:
    """Each command works, and each output that the page shows is among what came of the command before it."""
    output, shown = "", 0
    for block in [block for block in PAGE if block.language in {"shell", "text"}][2:]:
        if block.language == "shell":
            output = reader.run(reader.text(block))
            continue
        reader.wait_for(block.text.splitlines(), output)
        shown += 1
    assert shown == 3
    assert "attacker" not in reader.received


def test_each_client_sends_the_header(reader: Reader) -> None:
    """With curl and both OpenAI SDKs, one more header arrives, and the answer is printed."""
    packages = ROOT / ".tools" / "openai-javascript"
    packages.mkdir(parents=True, exist_ok=True)
    reader.run(f"npm install --prefix {packages} --no-audit --no-fund --silent {_OPENAI_FOR_JAVASCRIPT}")
    (reader.directory / "node_modules").symlink_to(packages / "node_modules")
    curl, rejected = (block for block in CALLING if block.language == "shell")
    programs = [block for block in CALLING if block.file_name]
    for block in programs:
        reader.save(block)
    line = "/v1/chat/completions  x-tenant: blue"
    commands = [reader.text(curl), "python call_openai.py", "node call_openai.mjs"]
    for command in commands:
        before = reader.received.count(line)
        assert "hi" in reader.run(command)
        wait_until(lambda before=before: reader.received.count(line) > before, command)  # type: ignore[misc]

    (shown,) = (block.text for block in CALLING if block.language == "text")
    assert reader.run(reader.text(rejected)) + "\n" == shown

    _python, _javascript, langchain = programs
    compile(langchain.text, langchain.file_name, "exec")
    assert 'data = json.dumps({"vllm_extra_headers": {"X-Tenant": "blue"}})' in langchain.text


def test_a_header_that_is_not_utf8_is_the_hosts_error(reader: Reader) -> None:
    """As the threat model says: it is answered with an error, nothing reaches the provider, nothing is counted."""
    before = reader.received
    counters = f"curl -s http://localhost:{reader.ports['9464']}/metrics | grep '^extra_headers_.*_total{{'"
    counted = reader.run(counters)
    with socket.create_connection(("127.0.0.1", int(reader.ports["8321"])), timeout=30) as caller:
        body = b'{"model": "vllm/test-model", "messages": [{"role": "user", "content": "hi"}]}'
        caller.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
            b'X-OGX-Provider-Data: {"vllm_extra_headers": {"X-A": "\xff"}}\r\n'
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        status = int(caller.recv(4096).split()[1])
    assert 400 <= status <= 599
    assert reader.received.count("/chat/completions") == before.count("/chat/completions")
    assert reader.run(counters) == counted


def test_a_callers_own_key_works_beside_extra_headers(reader: Reader) -> None:
    """As the questions say: OGX's own key of the provider data sets the credential, an extra header does not."""
    data = '{"vllm_api_token": "the-callers-own", "vllm_extra_headers": {"X-Tenant": "green"}}'
    body = '{"model": "vllm/test-model", "messages": [{"role": "user", "content": "hi"}]}'
    reader.run(
        f"curl -sf http://localhost:{reader.ports['8321']}/v1/chat/completions -H 'Content-Type: application/json' "
        f"-H 'X-OGX-Provider-Data: {data}' -d '{body}'"
    )
    path = "/v1/chat/completions"
    reader.wait_for([f"{path}  authorization: Bearer the-callers-own", f"{path}  x-tenant: green"], "")
