"""A policy that became invalid: the server that runs goes on, the one that would replace it refuses and says why."""

from pathlib import Path

import pytest
import yaml

from extra_headers.forwarding.testing.processes import OgxServer, ServerError, free_port, inference_provider, run_config
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from extra_headers.telemetry import contract
from tests.server.stack import PROVIDER_KEY
from tests.telemetry.servers import running


def test_a_running_server_does_not_read_it_again(tmp_path: Path) -> None:
    """Whatever is written into the run config, the policy that was checked at the start stays in force."""
    with running(tmp_path) as stack:
        config = yaml.safe_load(stack.server.config_path.read_text())
        for provider in config["providers"]["inference"]:
            provider["config"]["extra_headers"] = {"unblock": ["authorization"]}
        stack.server.config_path.write_text(yaml.safe_dump(config))
        before = stack.series()

        assert stack.send("on", {"Authorization": "evil"}).status_code == 200
        (received,) = stack.upstream.take()
        assert received.values("authorization") == [f"Bearer {PROVIDER_KEY}"]
        assert stack.counted(before, contract.DECISIONS_TOTAL) == {("blocked", "on", "credential"): 1}


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ({"unblock": ["authorization"]}, " is unusable: - unblock[0]: 'authorization' can never be unblocked"),
        (["x-a"], ": must be true, false or a mapping"),
    ],
)
def test_the_restart_refuses(tmp_path: Path, setting: object, why: str) -> None:
    """It ends with an error that names the provider, and nothing ever reaches the provider without a policy."""
    with RecordingProvider() as upstream:
        provider = inference_provider("team-a", upstream.base_url, setting, api_token=PROVIDER_KEY)
        config = run_config([provider], tmp_path, free_port())
        with pytest.raises(ServerError, match="ended with exit code"), OgxServer(config, tmp_path):
            pytest.fail("the server started")

        log = " ".join((tmp_path / "server.log").read_text().split())
        assert "extra_headers of provider 'team-a' (remote::vllm)" + why in log
        assert [r for r in upstream.received if r.method == "POST"] == []
