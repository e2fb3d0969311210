"""`extra-headers demo --host litellm` tells the scenarios on a real proxy, and checks them itself."""

from pathlib import Path

from extra_headers.forwarding.cli.demo.scenarios import SCENARIOS
from tests.demo.running import RunningDemo


def test_the_demo(tmp_path: Path) -> None:
    """Each scenario goes as on OGX, each call to the provider has its span, and nothing is left behind."""
    with RunningDemo(tmp_path, "--host", "litellm") as demo:
        assert demo.end() == 0, demo.output + demo.errors
        assert "UNEXPECTED" not in demo.output
        for number, scenario in enumerate(SCENARIOS, start=1):
            assert "received" in demo.section(f"{number}  {scenario.title}")
        assert 'sent      {"extra_headers": {"X-MAAS-SUBSCRIPTION": "free-tier"}}' in demo.output
        assert "▶   - extra_headers.forwarding.litellm.callback" in demo.section("The config.yaml")
        assert 'extra_headers.blocked.names    ["Authorization"]' in demo.section("A span")
        assert "Passed in" in demo.lines[-4]
        assert demo.left_behind() == ([], [])
