"""Draws what commands print on a terminal into docs/images: `python -m tests.docs.terminals`, by `make terminals`."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from xml.etree import ElementTree as ET

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from extra_headers.forwarding.cli.watch.scrape import Reader, read_all
from extra_headers.forwarding.cli.watch.state import Endpoint, Watch
from extra_headers.forwarding.cli.watch.view import View
from extra_headers.forwarding.testing.processes import ServerProcess, free_port
from tests.docs.pages import ROOT

IMAGES = ROOT / "docs" / "images"
COMMANDS = {
    "check.svg": ("check", "run.yaml"),
    "explain.svg": (
        *(
            "explain",
            "run.yaml",
            "--provider",
            "vllm",
            "--user",
            "alice",
            "-H",
            "X-Maas-Tier: gold",
            "-H",
            "X_Forwarded_For: 10.0.0.1",
        ),
        *("-H", "X-Team: blue"),
    ),
}
RUN_CONFIG = """\
version: 2
server: {auth: {provider_config: {type: custom, endpoint: "https://auth.example"}}}
providers:
  inference:
  - provider_id: vllm
    provider_type: remote::vllm
    module: extra_headers.forwarding
    config:
      base_url: http://localhost:8000/v1
      extra_headers:
        allow: ["x-maas-*"]
        set: {x-user: "${user.id}"}
  - provider_id: openai
    provider_type: remote::openai
    module: extra_headers.forwarding
    config:
      extra_headers: {allow: ["x tenant"]}
"""
_WIDTH = 100
_EVERY = 2
"""Seconds between the readings of the picture of watch."""
# The picture names no font of another site: the reader's own monospaced one is as good.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def capture(command: tuple[str, ...]) -> str:
    """Return what the command prints on a terminal, with its colours."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "run.yaml").write_text(RUN_CONFIG, encoding="utf-8")
        parent, child = pty.openpty()
        environment = {**os.environ, "COLUMNS": str(_WIDTH), "TERM": "xterm-256color"}
        process = subprocess.Popen(  # noqa: S603 - ours
            [Path(sys.executable).with_name("extra-headers"), *command], cwd=folder, env=environment, stdout=child
        )
        os.close(child)
        written = b""
        try:
            while data := os.read(parent, 65536):
                written += data
        except OSError:  # Linux: nobody has the other end any more
            pass
        os.close(parent)
        process.wait(60)
    return written.decode().replace("\r\n", "\n").rstrip("\n")


def svg(title: str, text: Text) -> str:
    """Return the picture of a terminal that shows a text."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO())
    console.print(text, soft_wrap=False)
    return console.export_svg(title=title, code_format=_FORMAT, unique_id="terminal") + "\n"


def drawn(picture: str) -> str:
    """Return the picture of one of the commands, run now."""
    command = COMMANDS[picture]
    typed = " ".join(f"'{word}'" if " " in word else word for word in command)
    text = Text.assemble((f"$ extra-headers {typed}\n", "bold"), Text.from_ansi(capture(command)))
    return svg(f"extra-headers {command[0]}", text)


def words(picture: str) -> set[str]:
    """Return the words of a picture without numbers, which are versions and limits."""
    text = " ".join("".join(node.itertext()) for node in ET.fromstring(picture).iter() if node.tag.endswith("}text"))  # noqa: S314 - ours
    return set(re.sub(r"[\d.]+", "", text).replace("\N{NO-BREAK SPACE}", " ").split())


def watch() -> str:
    """Return the picture of `extra-headers watch` over a process that counts made-up traffic."""
    policies = {"vllm": {"allow": ["x-maas-*"]}, "openai": {}}
    requests = [
        ("vllm", {"X-MAAS-SUBSCRIPTION": "free-tier"}, 40),
        ("vllm", {"Authorization": "Bearer made-up", "X-MAAS-SUBSCRIPTION": "free-tier"}, 3),
        ("vllm", {"X-Team": "blue"}, 12),
        ("openai", {"X-Tenant": "blue", "X_Forwarded_For": "10.0.0.1"}, 8),
        ("openai", {"X-Note": "a\r\nb"}, 5),
    ]
    with tempfile.TemporaryDirectory() as folder:
        file, port = Path(folder) / "policies.json", free_port()
        file.write_text(json.dumps(policies), encoding="utf-8")
        command = [sys.executable, "-m", "tests.dashboards.exporter", str(port), str(file)]
        address = f"http://127.0.0.1:{port}"
        began = time.mktime((2026, 11, 27, 12, 0, 0, 0, 0, -1))  # shown as a local time
        with ServerProcess("exporter", command, f"{address}/metrics", Path(folder) / "log"):
            state = Watch((Endpoint(f"{address}/metrics"),))
            reader = Reader(f"{address}/metrics")
            state = state.after(0, read_all([reader], time.sleep))
            for provider, headers, times in requests:
                body = json.dumps({"provider": provider, "headers": headers, "times": times}).encode()
                urllib.request.urlopen(f"{address}/evaluate", body, timeout=10).close()  # noqa: S310 - ours
            state = state.after(_EVERY, read_all([reader], time.sleep))
        console = Console(record=True, width=_WIDTH, height=26, file=io.StringIO())
        console.print(View(state, began).screen(_EVERY, _EVERY, console.size))
    text = console.export_svg(title="extra-headers watch", code_format=_FORMAT, unique_id="terminal")
    return text.replace(str(port), "9464") + "\n"


if __name__ == "__main__":
    for picture in COMMANDS:
        (IMAGES / picture).write_text(drawn(picture), encoding="utf-8")
    (IMAGES / "watch.svg").write_text(watch(), encoding="utf-8")
