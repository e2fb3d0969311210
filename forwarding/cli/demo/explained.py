"""What `extra-headers explain` says of a scene's headers: the rule behind each decision, from the run config alone."""

import os
from pathlib import Path

from ...run_config.checks import check_policy
from ...run_config.explanation import explain_request
from ...run_config.providers import read_run_config
from .reporter import Show
from .scenarios import Scene


def explain(scene: Scene, run_config: Path, show: Show) -> bool:
    """Print the rule behind each decision on the first caller's headers; return whether all are the scene's."""
    config = read_run_config(str(run_config), os.environ)
    provider = next(provider for provider in config.providers if provider.id.value == scene.provider)
    checked, _ = check_policy(config, provider)
    headers = dict(scene.callers[0] or {})
    if checked.policy is None:
        return False
    explained = explain_request(config, checked, checked.policy, headers).headers
    options = " ".join(f"-H '{name}: ...'" for name in headers)
    show.heading("Why", f"the rule behind each decision: extra-headers explain run.yaml --provider {scene.provider}")
    show.note(f"  {options}")
    show.facts({one.header: f"{one.decision.kind.value}: {one.source}" for one in explained})
    return {one.header: one.decision.reason for one in explained} == scene.decided
