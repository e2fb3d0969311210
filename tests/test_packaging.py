"""The wheel that users install, and the name under which a run config asks for it."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from extra_headers.forwarding.testing.processes import inference_provider

_ROOT = Path(__file__).parent.parent


def _run(*command: str | Path, cwd: Path = _ROOT) -> str:
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def _authorities(no_authorities: Mapping[str, str]) -> Iterator[None]:
    """Name the public authorities again: uv speaks to a package index."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("SSL_CERT_DIR")
        for name, value in no_authorities.items():
            environment.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def uv() -> Path:
    """Return the uv that made the environment."""
    found = shutil.which("uv")
    return Path(found) if found else _ROOT / ".tools" / "bin" / "uv"


@pytest.fixture(scope="module")
def wheel(uv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that `make dist` builds from the files that git knows."""
    source = tmp_path_factory.mktemp("source")
    for name in _run("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (_ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(_ROOT / name, source / name)
    _run("make", "--silent", "dist", f"UV={uv}", cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_only_the_namespace(wheel: Path) -> None:
    """Nothing called plain `telemetry` or `forwarding` lands in a user's site-packages; type markers do."""
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"extra_headers"}
    assert {f"extra_headers/{part}/py.typed" for part in ("forwarding", "telemetry", "dashboards")} <= set(names)


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    """No package is forgotten in the list of packages."""
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = ("forwarding", "telemetry", "dashboards")
    modules = {f"extra_headers/{path.relative_to(_ROOT)}" for top in tops for path in (_ROOT / top).rglob("*.py")}

    assert modules - names == set()


def test_the_wheel_works_in_an_empty_environment(wheel: Path, uv: Path, tmp_path: Path) -> None:
    """Installed with only its declared dependencies, it imports, and its command says what it can do."""
    python = tmp_path / "venv" / "bin" / "python"
    _run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    _run(uv, "pip", "install", "--quiet", "--python", python, wheel)

    code = (
        "from extra_headers.forwarding import Policy, evaluate; print(dict(evaluate({'X-A': '1'}, Policy()).forwarded))"
    )
    assert _run(python, "-c", code, cwd=tmp_path) == "{'X-A': '1'}\n"
    assert "demo" in _run(tmp_path / "venv" / "bin" / "extra-headers", "--help", cwd=tmp_path)


def test_the_module_of_a_run_config_installs_this(wheel: Path, uv: Path, tmp_path: Path) -> None:
    """The host lists the `module:` as a dependency (tests/cli/test_against_ogx.py): pip resolves it to this."""
    module = str(inference_provider("vllm", "http://127.0.0.1:1/v1", extra_headers=True)["module"])

    (tmp_path / "target").mkdir()
    options = ("--quiet", "--no-deps", "--no-index", "--find-links", wheel.parent, "--target", tmp_path / "target")
    _run(uv, "pip", "install", "--python", sys.executable, *options, module)
    assert (tmp_path / "target" / "extra_headers" / "forwarding" / "provider.py").is_file()


def test_the_version_is_in_the_changelog() -> None:
    """Whoever installs a version can read what it brought."""
    version = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert f"## {version}" in (_ROOT / "CHANGELOG.md").read_text()
