"""Environment variables in a run config: the same as OGX makes of them."""

import os
import warnings
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extra_headers.forwarding.run_config.environment import UnsetVariableError, replace, replace_in_string

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the host's own
    from ogx.core.stack import EnvVarError, replace_env_vars

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


def _host(config: Any) -> str:
    try:
        return repr(replace_env_vars(config))
    except EnvVarError as error:
        return f"unset: {error.var_name}"


def _ours(config: object, environment: dict[str, str]) -> str:
    try:
        return repr(replace(config, environment))
    except UnsetVariableError as error:
        return f"unset: {error.name}"


@given(_CONFIGS, _ENVIRONMENTS)
@settings(deadline=None, max_examples=500)
def test_what_it_makes_is_what_ogx_makes(config: object, environment: dict[str, str]) -> None:
    """Values, types, what is left out of lists, and the variable that is missing."""
    with mock.patch.dict(os.environ, {"HOME": "/home/x", **environment}, clear=True):
        assert _ours(config, dict(os.environ)) == _host(config)


@pytest.mark.parametrize(
    ("text", "value", "from_environment"),
    [
        ("plain", "plain", False),
        ("12", "12", False),
        ("${env.SET}", "secret", True),
        ("a-${env.SET}-b", "a-secret-b", True),
        ("${env.SET:=default}", "secret", True),
        ("${env.UNSET:=default}", "default", False),
        ("${env.UNSET:=}", None, False),
        ("${env.SET:+given}", "given", False),
        ("${env.UNSET:+given}", None, False),
        ("${env.UNSET:=32}", 32, False),
        ("${env.UNSET:=true}", True, False),
    ],
)
def test_it_tells_whether_a_value_comes_from_the_environment(
    text: str, value: object, *, from_environment: bool
) -> None:
    """Only then it may be a secret; what the file itself says is no more secret than the file."""
    replaced = replace_in_string(text, {"SET": "secret"})

    assert (replaced.value, replaced.from_environment) == (value, from_environment)
