"""Environment variables in a run config are replaced as OGX replaces them."""

import os
import time
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extra_headers.forwarding.run_config.environment import UnsetVariableError, replace, shown
from tests.server.host import load

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the host's own

_VALUES = st.sampled_from(
    ["", "a", "0", "1", "true", "False", "1.5", "nan", "x y", "${env.A}", "}", "~/x", "__disabled__"]
)
_ENVIRONMENTS = st.dictionaries(st.sampled_from(["A", "B_2", "C"]), _VALUES)
_TEXTS = st.lists(
    st.one_of(
        _VALUES,
        st.builds(
            "${{env.{}{}{}}}".format,
            st.sampled_from(["A", "B_2", "C", "a", ""]),
            st.sampled_from(["", ":=", ":+", ":", ":-"]),
            _VALUES,
        ),
    ),
    max_size=3,
).map("".join)
_KEYS = st.sampled_from(["provider_id", "model_id", "vector_store_id", "config", "x"])
_CONFIGS = st.recursive(
    st.one_of(_TEXTS, st.none(), st.booleans(), st.integers()),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(_KEYS, below, max_size=3)),
    max_leaves=8,
)


def _host(stack: Any, config: Any) -> str:
    try:
        return repr(stack.replace_env_vars(config))
    except stack.EnvVarError as error:
        return f"unset: {error.var_name}"


def _ours(config: object, environment: dict[str, str]) -> str:
    try:
        return repr(replace(config, environment))
    except UnsetVariableError as error:
        return f"unset: {error.name}"


@given(_CONFIGS, _ENVIRONMENTS)
@settings(deadline=None, max_examples=150)
def test_what_it_makes_is_what_ogx_makes(config: object, environment: dict[str, str]) -> None:
    """Values, types, entries that are left out of lists, and the missing variable are the same."""
    stack = load("ogx.core.stack")  # takes seconds, so only in the worker that runs this
    with mock.patch.dict(os.environ, {"HOME": "/home/x", **environment}, clear=True):
        assert _ours(config, dict(os.environ)) == _host(stack, config)


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
