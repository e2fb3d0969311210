"""Environment variables in a run config are replaced as OGX replaces them: `test_against_ogx` compares both."""

import time

import pytest

from extra_headers.forwarding.run_config.environment import replace, shown


@pytest.mark.parametrize(
    ("text", "value", "printed"),
    [
        ("plain", "plain", "plain"),
        ("12", "12", "12"),
        ("${env.SET}", "secret", "${env.SET}"),
        ("a-${env.SET}-b", "a-secret-b", "a-${env.SET}-b"),
        ("${env.SET:=default}", "secret", "${env.SET:=default}"),
        ("${env.UNSET:=default}", "default", "default"),
        ("${env.UNSET:=}", None, "None"),
        ("${env.SET:+given}", "given", "given"),
        ("${env.UNSET:+given}", None, "None"),
        ("${env.UNSET:=32}", 32, "32"),
        ("${env.UNSET:=true}", True, "True"),
    ],
)
def test_a_value_of_the_environment_is_printed_as_written(text: str, value: object, printed: str) -> None:
    """It may be a secret. What the file itself contains is no more secret than the file."""
    replaced = replace(text, {"SET": "secret"})

    assert (replaced, shown(replaced)) == (value, printed)


@pytest.mark.parametrize("start", ["${env.A:=", "${env.A:+", "${env.A", "${env."])
def test_many_references_that_nothing_closes(start: str) -> None:
    """A long entry is read in one pass: minutes, if each reference were searched to the end of the text."""
    text = start * (1024 * 1024 // len(start))
    began = time.process_time()

    assert replace(text, {}) == text
    assert time.process_time() - began < 10
