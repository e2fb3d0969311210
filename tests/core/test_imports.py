"""What importing a module loads, in a fresh interpreter. What may be imported is for `lint-imports` to say."""

import subprocess
import sys

FOREIGN = {"opentelemetry", "prometheus_client", "openai", "httpx", "httpx2", "ogx", "ogx_api", "llama_stack"}


def loaded_by(code: str) -> set[str]:
    """Return the names of all modules that a fresh interpreter has loaded after running some code."""
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return set(done.stdout.split())


def test_the_policy_loads_nothing_foreign() -> None:
    """Deciding costs a plain client neither a server nor an exporter, and loads no other part of the add-on."""
    loaded = loaded_by("from extra_headers.forwarding import Policy, evaluate")
    assert {name.split(".")[0] for name in loaded} & FOREIGN == set()
    own = {name for name in loaded if name.startswith("extra_headers.")}
    assert {name for name in own if not name.startswith("extra_headers.forwarding.policy")} == {
        "extra_headers.forwarding"
    }


def test_telemetry_loads_what_makes_spans_only_where_there_are_some() -> None:
    """A server without traces does not wait for OpenTelemetry's SDK and instrumentations to load, only for its API."""
    loaded = loaded_by("import extra_headers.telemetry.recorder")
    assert "opentelemetry.trace" in loaded
    assert {name for name in loaded if name.startswith(("opentelemetry.sdk", "opentelemetry.instrumentation"))} == set()
