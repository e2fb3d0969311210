"""A bounded run of the fuzzer, by number of inputs; `make fuzz` runs it by time."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from extra_headers.forwarding.policy import matcher
from tests.attacks.corpus import CASES
from tests.fuzz.seeds import seeds
from tests.fuzz.target import check

_RUNS = 2000


def test_a_bounded_run_finds_nothing(tmp_path: Path) -> None:
    """Thousands of inputs, mutated from the attack corpus by what code they reach, break no law."""
    command = [sys.executable, "-m", "tests.fuzz", str(tmp_path), f"-runs={_RUNS}", "-seed=1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a command of ours

    assert ended.returncode == 0, ended.stderr[-4000:]
    if find_spec("atheris") is None:
        assert f"{len(seeds())} seeds were run, and nothing was fuzzed" in ended.stdout
        return
    assert f"Done {_RUNS} runs" in ended.stderr
    # It was guided: the code is instrumented, and inputs were kept for what they reached.
    assert int(re.findall(r"cov: (\d+)", ended.stderr)[-1]) > 300
    assert any((tmp_path / "found").iterdir())


def test_the_seeds_are_the_attack_corpus() -> None:
    """All of its cases but the largest ones."""
    assert len(seeds()) > 0.9 * len(CASES)


def test_a_planted_fault_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target would tell: with names compared as they are written, `AUTHORIZATION` passes, and it says so."""
    monkeypatch.setattr(matcher, "normalize_name", lambda name: name)
    matcher.matcher.cache_clear()
    try:
        with pytest.raises(AssertionError):
            check(b'{}\n{"vllm_extra_headers": {"AUTHORIZATION": "1"}}')
    finally:
        matcher.matcher.cache_clear()
    monkeypatch.undo()
    check(b'{}\n{"vllm_extra_headers": {"AUTHORIZATION": "1"}}')
