"""Who may import whom: the core stays pure, and the parts meet only in the host adapters."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
CORE = [
    "names",
    "blocklist",
    "decisions",
    "identity",
    "envelope",
    "lint",
    "findings",
    "policy",
    "matching",
    "evaluation",
]
FOREIGN = {"opentelemetry", "prometheus_client", "openai", "httpx", "httpx2", "ogx", "ogx_api", "llama_stack"}
# I/O, clocks, chance, loggers and threads: what a pure function has no use for.
IMPURE = {
    "asyncio",
    "contextvars",
    "datetime",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "sys",
    "threading",
    "time",
    "warnings",
}


def imported(source: str, package: str) -> Iterator[str]:
    """Yield the full dotted path of everything that a module imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_of(package: str) -> dict[str, set[str]]:
    """Return what each module of a package of this project imports."""
    folder = REPOSITORY / package
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parents = path.relative_to(folder).parent.parts
        within = ".".join(["extra_headers", package, *parents])
        found[path.relative_to(REPOSITORY).as_posix()] = set(imported(path.read_text(encoding="utf-8"), within))
    return found


def is_within(path: str, allowed: str) -> bool:
    """Whether an imported path is a module or something in it."""
    return path == allowed or path.startswith(f"{allowed}.")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b as c, d", {"a.b", "d"}),
        ("from a import b", {"a.b"}),
        ("from a.b import c as d, e", {"a.b.c", "a.b.e"}),
        ("from . import b", {"p.q.b"}),
        ("from .b import c", {"p.q.b.c"}),
        ("from .. import b", {"p.b"}),
        ("def f():\n    from ..b import c", {"p.b.c"}),
    ],
)
def test_every_way_to_import_is_seen(source: str, expected: set[str]) -> None:
    """Also late and relative ones, or the tests below would prove nothing."""
    assert set(imported(source, "p.q")) == expected


@pytest.mark.parametrize("module", CORE)
class TestCore:
    """The modules of the pure core, one by one."""

    def test_imports_the_core_only_and_nothing_impure(self, module: str) -> None:
        """Neither a host, nor telemetry, nor a clock, nor a logger."""
        direct = imports_of("forwarding")[f"forwarding/{module}.py"]
        assert {path.split(".")[0] for path in direct} & (FOREIGN | IMPURE) == set()
        own = [path for path in direct if path.startswith("extra_headers.")]
        assert [path for path in own if not any(is_within(path, f"extra_headers.forwarding.{m}") for m in CORE)] == []

    def test_loads_no_foreign_package(self, module: str) -> None:
        """Not by way of another module either; the adapters beside the core stay unloaded too."""
        loaded = loaded_by(f"extra_headers.forwarding.{module}")
        assert {name.split(".")[0] for name in loaded} & FOREIGN == set()
        assert {name for name in loaded if name.startswith("extra_headers.")} <= CORE_MODULES


CORE_MODULES = {"extra_headers.forwarding", *(f"extra_headers.forwarding.{module}" for module in CORE)}


def loaded_by(module: str) -> set[str]:
    """Return the names of all modules that a fresh interpreter has loaded after importing one."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return set(done.stdout.split())


def test_the_public_package_is_the_core() -> None:
    """`import extra_headers.forwarding` costs a plain client neither a server nor an exporter."""
    loaded = loaded_by("extra_headers.forwarding")
    assert {name.split(".")[0] for name in loaded} & FOREIGN == set()
    assert {name for name in loaded if name.startswith("extra_headers.")} <= CORE_MODULES


def test_telemetry_loads_what_makes_spans_only_where_there_are_some() -> None:
    """A server without traces does not wait for OpenTelemetry's SDK and instrumentations to load, only for its API."""
    loaded = loaded_by("extra_headers.telemetry.recorder")
    assert "opentelemetry.trace" in loaded
    slow = ("opentelemetry.sdk", "opentelemetry.instrumentation")
    assert {name for name in loaded if any(is_within(name, package) for package in slow)} == set()


def test_telemetry_knows_only_decisions() -> None:
    """Of forwarding, it imports the vocabulary of decisions and nothing else."""
    allowed = ("extra_headers.telemetry", "extra_headers.forwarding.decisions")
    for module, paths in imports_of("telemetry").items():
        own = {path for path in paths if is_within(path, "extra_headers")}
        assert {path for path in own if not any(is_within(path, a) for a in allowed)} == set(), module


def test_dashboards_know_only_the_names_of_telemetry() -> None:
    """A panel asks for a metric by the constant that the metric is made with, and for a reason by its enum."""
    allowed = ("extra_headers.dashboards", "extra_headers.telemetry.names", "extra_headers.forwarding.decisions")
    for module, paths in imports_of("dashboards").items():
        own = {path for path in paths if is_within(path, "extra_headers")}
        assert {path for path in own if not any(is_within(path, a) for a in allowed)} == set(), module


def test_the_packages_are_there() -> None:
    """The rules above are about something."""
    assert {f"forwarding/{module}.py" for module in CORE} <= set(imports_of("forwarding"))
    assert "telemetry/names.py" in imports_of("telemetry")
    assert "dashboards/__init__.py" in imports_of("dashboards")
