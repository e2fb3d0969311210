"""LiteLLM's choice of headers to forward, side by side with ours; runs in its own environment: `make bench`.

LiteLLM's proxy forwards `x-` headers but for `x-stainless-`. It looks at no value and makes no record of a decision.
"""

import dataclasses
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from benchmarks.callgrind import UNIT, call_each, counted, is_installed, start
from benchmarks.sidebyside import Row, Timing, at_most, measure
from extra_headers.forwarding import Policy, evaluate

_PYTHON = Path(__file__).parents[1] / ".venv-litellm" / "bin" / "python"
_INSTRUCTIONS = "instructions"


def rows() -> Iterator[Row]:
    """Measure in that environment; nothing where there is none."""
    if not _PYTHON.exists():
        print("LiteLLM: not measured, for .venv-litellm is not there; `make bench` makes it")
        return
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch a list of prices
    done = subprocess.run([str(_PYTHON), "-m", __name__], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    found = {name: Timing(**timing) for name, timing in json.loads(done.stdout.splitlines()[-1]).items()}
    what = "evaluate 10 clean headers, against LiteLLM's choice"
    yield at_most(1.0, what, "us", found["ours"], found["theirs"])
    if is_installed():
        found = counted(__name__, _INSTRUCTIONS, python=str(_PYTHON))
        yield at_most(1.0, what, UNIT, found["ours"], found["theirs"])


def _main() -> None:
    litellm = import_module("litellm.proxy.litellm_pre_call_utils").LiteLLMProxyRequestSetup
    headers = {f"X-Maas-Header-{i}": str(uuid.UUID(int=i * 7919)) for i in range(10)}
    policy, outbound = Policy(), frozenset({"accept", "content-type", "user-agent", "authorization"})
    chosen = litellm._get_forwardable_headers(headers)  # noqa: SLF001 - the function that does it
    assert chosen == evaluate(headers, policy, outbound).forwarded == headers  # noqa: S101 - the same work
    subjects = {
        "theirs": lambda: litellm._get_forwardable_headers(headers),  # noqa: SLF001
        "ours": lambda: evaluate(headers, policy, outbound),
    }
    if _INSTRUCTIONS in sys.argv:
        start()
        call_each(subjects)
        print(json.dumps(list(subjects)))
    else:
        print(json.dumps({name: dataclasses.asdict(timing) for name, timing in measure(subjects).items()}))


if __name__ == "__main__":
    _main()
