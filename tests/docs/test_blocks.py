"""Every code block of README and docs is run or checked; one in a language that is not known here fails.

What needs the network (pip, make, apt-get), and what runs until Ctrl-C, is checked for its form: that the package,
extra, target or option exists.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
import promql_parser
import pytest
import yaml

from extra_headers.dashboards.tuning import Tuning
from extra_headers.dashboards.values_file import read as read_values
from extra_headers.forwarding import evaluate
from extra_headers.forwarding.cli.app import commands
from extra_headers.forwarding.policy.decision import Outcome
from extra_headers.forwarding.policy.model import Policy, parse_policy
from extra_headers.telemetry import contract
from tests.dashboards.programs import DEBIAN_PACKAGES
from tests.docs.pages import PAGES, ROOT, Block, blocks

BLOCKS = [block for page in PAGES for block in blocks(page)]
STARTING_A_SERVER = [block for block in BLOCKS if block.language == "python" and "OgxServer(" in block.text]
"""For `test_blocks_with_a_server.py`."""

CHECKED_BY: Mapping[tuple[str, str], str] = {
    ("docs/cli.md", "text"): "tests/cli/test_references.py",
    ("docs/alerting.md", "shell"): "tests/docs/test_alerting.py",
    ("docs/litellm.md", "shell"): "tests/litellm/test_docs.py",
    ("docs/litellm.md", "yaml"): "tests/litellm/test_docs.py",
    ("docs/otel-collector.md", "yaml"): "tests/docs/test_otel_collector.py",
    **{
        ("docs/calling.md", language): "tests/docs/test_quick_start.py"
        for language in ("shell", "text", "python", "javascript")
    },
    ("docs/clients.md", "python"): "tests/clients/test_docs.py",
    ("docs/quick-start.md", "python"): "tests/docs/test_quick_start.py",
    ("docs/quick-start.md", "shell"): "tests/docs/test_quick_start.py",
    ("docs/quick-start.md", "text"): "tests/docs/test_quick_start.py",
    **{
        ("docs/logs.md", language): "tests/docs/test_logs.py"
        for language in ("shell", "text", "json", "yaml", "alloy", "logql", "kql")
    },
}
"""Blocks that need more than a directory: those of a page in a language, and the test that runs them."""

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def settings(value: object, key: str) -> Iterator[object]:
    """Yield every value of a key, wherever it stands in a YAML document."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == key:
                yield inner
            else:
                yield from settings(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from settings(inner, key)


def check_yaml(block: Block, _: Path) -> None:
    """Check a values file, a container, or a part of a run config: its policies, and that it loads the add-on."""
    document = yaml.safe_load(block.text)
    if document.keys() <= Tuning.model_fields.keys():
        read_values(block.text, str(block))
        return
    if document.keys() == {"env", "ports"}:  # of a container
        known = {value for name, value in vars(contract).items() if name.startswith("ENV_")}
        assert {each["name"] for each in document["env"]} <= known | {
            "OGX_METRICS_ENDPOINT_ENABLED",
            "OGX_METRICS_HOST",
        }
        return
    policies = list(settings(document, "extra_headers"))
    assert policies, "no extra_headers setting to check"
    for setting in policies:
        parse_policy(setting, str(block))
    for providers in settings(document, "providers"):
        assert isinstance(providers, Mapping)
        for entry in (entry for entries in providers.values() for entry in entries):
            assert {"provider_id", "provider_type", "module", "config"} <= set(entry)
            assert entry["module"] == "extra_headers.forwarding"


def check_python(block: Block, directory: Path) -> None:
    """Check a program: it runs, and prints what the comments behind its `print` lines say."""
    done = subprocess.run(
        [sys.executable, "-"], input=block.text, cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = re.findall(r"^print\(.*\)  # (.*)$", block.text, re.MULTILINE)
    assert not said or done.stdout.splitlines() == said


def check_json(block: Block, _: Path) -> None:
    """Check a document."""
    json.loads(block.text)


def check_promql(block: Block, _: Path) -> None:
    """Check a query: it is one."""
    promql_parser.parse(block.text)


def check_traceql(block: Block, _: Path) -> None:
    """Check a search for traces: it is in braces, and asks only for attributes that exist."""
    assert re.fullmatch(r"\{[^{}]+\}", block.text.strip())
    asked = set(re.findall(r"span\.(\S+)", block.text))
    known = {value for name, value in vars(contract).items() if name.startswith("ATTR_")}
    assert asked
    assert asked <= known


def check_http(block: Block, _: Path) -> None:
    """Check header fields of a caller: their extra headers pass the default policy."""
    for line in block.text.splitlines():
        field, _separator, value = line.partition(": ")
        assert field == "X-OGX-Provider-Data"
        for headers in json.loads(value).values():
            assert evaluate(headers, Policy()).outcome is Outcome.CLEAN


def check_shell(block: Block, directory: Path) -> None:
    """Run the commands that need no network and end by themselves, and check the others for their form."""
    lines = block.text.replace("\\\n", " ").splitlines()
    run = [line for line in lines if not is_checked_for_form(shlex.split(line, comments=True))]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(  # noqa: S603 - our own documentation
        ["/bin/bash", "-euo", "pipefail", "-c", "\n".join(run)],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def is_checked_for_form(words: list[str]) -> bool:
    """Check a command that is not run, and return whether it is one."""
    match words:
        case []:
            return True
        case ["pip", "install", *requirements]:
            check_requirements(requirements)
        case ["pip", "uninstall", name]:
            assert name == _PROJECT["name"]
        case ["make", target, *rest]:
            assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
            check_make_arguments(target, rest)
        case ["apt-get", "install", *packages]:
            assert set(packages) <= set(DEBIAN_PACKAGES.values())
        case ["kubectl", *arguments]:
            assert arguments[0] in {"apply", "run"}
        case ["extra-headers", "demo" | "watch" as name, *arguments] if "--help" not in arguments:
            commands.commands[name].make_context(name, list(arguments))
        case _:
            return False
    return True


def check_requirements(requirements: list[str]) -> None:
    """Check that every requirement is this distribution, with extras that it has."""
    assert requirements
    for requirement in requirements:
        found = re.fullmatch(r"([\w-]+)(?:\[([\w,-]+)\])?", requirement)
        assert found
        assert found[1] == _PROJECT["name"]
        assert set((found[2] or "").split(",")) - {""} <= set(_PROJECT["optional-dependencies"])


def check_make_arguments(target: str, rest: list[str]) -> None:
    """Check that what is given to the demo by way of make is an option of the demo."""
    for argument in rest:
        variable, _, value = argument.partition("=")
        assert variable == "ARGS"
        if target == "demo":
            commands.commands["demo"].make_context("demo", shlex.split(value))


def check_mermaid(block: Block, _: Path) -> None:
    """Check that every arrow leads from a package to one on a lower floor, as import-linter has them."""
    contract, *_others = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floor = {name.rpartition(".")[2]: i for i, layer in enumerate(contract["layers"]) for name in layer.split(" | ")}
    first, *arrows = block.text.splitlines()
    assert first == "flowchart TD"
    drawn = set()
    for arrow in arrows:
        above, below = (ends.strip().split(" & ") for ends in arrow.split("-->"))
        assert max(floor[name] for name in above) < min(floor[name] for name in below), arrow
        drawn |= {*above, *below}
    assert floor.keys() - drawn <= {"client_headers", "http_state"}


CHECKS: Mapping[str, Callable[[Block, Path], None]] = {
    "yaml": check_yaml,
    "python": check_python,
    "json": check_json,
    "promql": check_promql,
    "traceql": check_traceql,
    "http": check_http,
    "shell": check_shell,
    "mermaid": check_mermaid,
}


def check(block: Block, directory: Path) -> None:
    """Check one block, in a directory of its own."""
    if test := CHECKED_BY.get((block.page, block.language)):
        assert Path(block.page).name in (ROOT / test).read_text(encoding="utf-8"), f"{test} does not run this page"
        return
    assert block.language in CHECKS, f"{block}: a block in {block.language!r} is checked by nothing"
    CHECKS[block.language](block, directory)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block not in STARTING_A_SERVER], ids=str)
def test_block(block: Block, tmp_path: Path) -> None:
    """What a reader would copy works."""
    check(block, tmp_path)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("", "anything"),
        ("text", "not the output of anything"),
        ("ruby", "puts 1"),
        ("yaml", "extra_headers: {allow: ['*']}"),
        ("yaml", "other: 1"),
        ("yaml", "providers: {inference: [{provider_id: a, config: {extra_headers: true}}]}"),
        ("mermaid", "flowchart TD\n    policy --> telemetry"),
        ("python", "raise SystemExit(1)"),
        ("python", "print(1)  # 2"),
        ("json", "{"),
        ("promql", "sum(extra_headers_decisions_total"),
        ("traceql", '{ span.extra_headers.nothing = "a" }'),
        ("http", 'X-OGX-Provider-Data: {"vllm_extra_headers": {"Cookie": "a"}}'),
        ("shell", "false | true"),
        ("shell", "pip install extra-headers"),
        ("shell", "pip install 'extra-headers-forwarding[nothing]'"),
        ("shell", "make nothing"),
        ("shell", "make demo ARGS=--nothing"),
        ("shell", "apt-get install nothing"),
        ("shell", "extra-headers demo --nothing"),
        ("shell", "extra-headers nothing"),
    ],
)
def test_a_wrong_block_is_found(language: str, text: str, tmp_path: Path) -> None:
    """Or the test above would prove nothing."""
    expected = (AssertionError, ValueError, click.UsageError)
    with pytest.raises(expected):
        check(Block("docs/page.md", 1, language, text), tmp_path)


def test_metrics_in_queries_exist() -> None:
    """No query, command or table names a metric that the contract does not have."""
    unknown: dict[str, set[str]] = {}
    for page in PAGES:
        named = set(re.findall(r"\bextra_headers_\w+?(?:_total|_seconds|_info)\b", page.read_text(encoding="utf-8")))
        if extra := named - set(contract.METRICS):
            unknown[page.name] = extra
    assert unknown == {}
