"""What the server says when the flag cannot do what its author meant: it does not start, and names the place."""

from pathlib import Path
from typing import Any

import pytest

from extra_headers.forwarding.testing.processes import ServerError, free_port, inference_provider
from tests.server.host import SERVER, host_run_config

pytestmark = pytest.mark.usefixtures("start_for_real")


def _start(tmp_path: Path, *providers: dict[str, Any]) -> str:
    """Start a server that must not start, and return its complaint with white space folded."""
    with pytest.raises(ServerError, match="ended with exit code"), SERVER(_config(tmp_path, *providers), tmp_path):
        pytest.fail("the server started")
    return " ".join((tmp_path / "server.log").read_text().split())


def _config(tmp_path: Path, *providers: dict[str, Any]) -> dict[str, Any]:
    return host_run_config(providers, tmp_path, free_port())


def test_a_bad_policy_names_the_provider_and_every_entry(tmp_path: Path) -> None:
    """All findings of one provider come at once: provider, entry, what is wrong, what would be right."""
    policy = {"on_blocked": "maybe", "allow": ["x maas"], "limits": {"max_headers": 0}, "blocks": []}
    log = _start(tmp_path, inference_provider("team-a", "http://127.0.0.1:1/v1", policy))

    assert "extra_headers of provider 'team-a' (remote::vllm) is unusable:" in log
    assert "on_blocked: must be 'drop' or 'reject'" in log
    assert "allow[0]: 'x maas' can never match: it is not a header name" in log
    assert "limits.max_headers: must be a whole number of headers from 1 to 1024" in log
    assert "blocks: unknown setting; did you mean `block`? known are allow, block" in log


def test_a_flag_without_the_module_is_ignored_by_the_host(tmp_path: Path) -> None:
    """Without `module:` the host knows no `extra_headers` and starts: the add-on is not even loaded."""
    provider = inference_provider("plain", "http://127.0.0.1:1/v1", extra_headers={"allow": "nonsense"})
    del provider["module"]

    with SERVER(_config(tmp_path, provider), tmp_path) as server:
        assert "extra_headers" not in server.log.partition("Starting up")[2]
