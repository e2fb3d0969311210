"""The supported versions: each environment holds what its lock says, and the locks are the two ends of the range."""

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from extra_headers.forwarding.ogx.host import warn_of_openai

_ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
_HOSTS = ("ogx", "llama-stack")
_COLUMNS = ("oldest-ogx", "dev", "oldest-llama-stack", "llama-stack")
_NEWEST = {"ogx": "dev", "llama-stack": "llama-stack"}
# OGX 1.5 itself asks for later ones; the lower bounds of these are tested with llama-stack.
_RAISED_BY_OGX = {"openai", "pydantic"}


def _locked(lock: str) -> dict[str, Version]:
    text = (_ROOT / "locks" / f"{lock}.lock").read_text()
    return {name: Version(pinned) for name, pinned in re.findall(r"^([a-z0-9.-]+)==([^ ;]+)", text, re.MULTILINE)}


def _lower_bounds(host: str) -> dict[str, Version]:
    """Return the lower bound of each dependency that is declared with one, with a host's extra."""
    declared = [Requirement(text) for text in _PROJECT["dependencies"] + _PROJECT["optional-dependencies"][host]]
    return {
        requirement.name: Version(specifier.version)
        for requirement in declared
        for specifier in requirement.specifier
        if specifier.operator == ">="
    }


def test_this_environment_holds_its_lock() -> None:
    """What is installed is what the lock of this very environment pins."""
    name = Path(sys.prefix).name.removeprefix(".venv").removeprefix("-")
    # One for another Python, such as .venv-3.13, holds the lock of .venv.
    name = "dev" if name in ("", f"{sys.version_info.major}.{sys.version_info.minor}") else name
    locked = _locked(name)
    host = "ogx" if "ogx" in locked else "llama-stack"
    names = _lower_bounds(host)

    assert {name: Version(version(name)) for name in names} == {name: locked[name] for name in names}


@pytest.mark.parametrize("host", _HOSTS)
def test_the_oldest_are_the_declared_lower_bounds(host: str) -> None:
    """A bound in pyproject.toml is one that the tests run with."""
    oldest = _locked(f"oldest-{host}")
    above = {name for name, bound in _lower_bounds(host).items() if oldest[name] != bound}

    assert above == (_RAISED_BY_OGX if host == "ogx" else set())


@pytest.mark.parametrize("host", _HOSTS)
def test_the_newest_are_later(host: str) -> None:
    """The two runs do not test the same twice; of each host there is one release so far."""
    oldest, newest = _locked(f"oldest-{host}"), _locked(_NEWEST[host])
    same = {name for name in _lower_bounds(host) if newest[name] <= oldest[name]}

    assert same <= {host, f"{host}-api"}


def test_both_major_versions_of_openai_are_tested() -> None:
    """Openai 3 speaks httpx2 and openai 2 httpx: each is run at both ends."""
    majors = {lock: _locked(lock)["openai"].major for host in _HOSTS for lock in (f"oldest-{host}", _NEWEST[host])}

    assert majors == {"oldest-ogx": 3, "dev": 3, "oldest-llama-stack": 2, "llama-stack": 2}


def test_the_documented_range_is_the_tested_one() -> None:
    """The table of versions in the documentation has a line for each dependency, with both ends of what is tested."""
    lines = [
        f"| {name} | {' | '.join(str(_locked(lock).get(name, '-')) for lock in _COLUMNS)} |"
        for name in sorted(_lower_bounds("ogx") | _lower_bounds("llama-stack"))
    ]
    page = (_ROOT / "docs" / "hosts.md").read_text()

    assert "\n".join(lines) in page, "docs/hosts.md should have:\n" + "\n".join(lines)


@pytest.mark.parametrize("lock", _COLUMNS)
def test_the_locks_name_no_host(lock: str) -> None:
    """Every lock pins each package by hash and is free of addresses."""
    text = (_ROOT / "locks" / f"{lock}.lock").read_text()

    assert "://" not in text
    assert text.count("==") <= text.count("--hash=")


def test_llama_stack_with_openai_3_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Pip installs openai 3 next to llama-stack, whose calls then fail; the log says what to install, once."""
    for package, installed in (("llama_stack", "3.54.0"), ("llama_stack", "3.54.0"), ("llama_stack", "2.54.0")):
        warn_of_openai(package, installed)
    warn_of_openai("ogx", "3.54.0")
    assert [record.getMessage().partition(";")[2] for record in caplog.records] == [" install 'openai<3' and restart"]
