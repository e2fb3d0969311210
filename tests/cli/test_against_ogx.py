"""What the commands know of OGX without it, compared with OGX itself, which is loaded only when one of these runs."""

import os
from argparse import Namespace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from extra_headers.forwarding.ogx.host import current_host
from extra_headers.forwarding.run_config import checks
from extra_headers.forwarding.run_config.environment import UnsetVariableError, replace
from extra_headers.forwarding.run_config.provider_types import REMOTE_INFERENCE_TYPES
from extra_headers.forwarding.run_config.providers import read_run_config
from extra_headers.forwarding.testing.processes import inference_provider, run_config
from tests.server.host import load

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


def test_the_provider_types_are_those_of_the_registry() -> None:
    """A new provider type of OGX needs a line in `provider_types`."""
    load("ogx.core.distribution")
    assert {spec.provider_type for spec in current_host().inference_provider_specs()} == REMOTE_INFERENCE_TYPES


@pytest.mark.parametrize("with_module", ["neither", "first", "second", "both"])
def test_which_entry_loads_the_add_on(tmp_path: Path, with_module: str) -> None:
    """One entry loads it for all of its type; without any, OGX takes its own implementation, which ignores the flag."""
    entries = [inference_provider(name, "http://127.0.0.1:1/v1", extra_headers=True) for name in ("a", "b")]
    for entry, name in zip(entries, ("first", "second"), strict=True):
        if with_module not in (name, "both"):
            del entry["module"]
    content = run_config(entries, tmp_path, 8321)
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(content))

    parsed = load("ogx.core.configure").parse_and_maybe_upgrade_config(content)
    registry = load("ogx.core.distribution").get_provider_registry(parsed)
    _, found = checks.check(read_run_config(str(path), os.environ))

    loads = registry[load("ogx_api").Api.inference]["remote::vllm"].module.startswith("extra_headers.")
    messages = [finding.message for finding in found]
    assert loads == (with_module != "neither")
    assert any("OGX ignores" in message for message in messages) == (not loads)
    assert sum("works only because" in message for message in messages) == int(with_module in ("first", "second"))


def test_the_module_is_listed_as_a_dependency(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `ogx stack list-deps` prints it; tests/test_packaging.py installs what it names."""
    entry = inference_provider("a", "http://127.0.0.1:1/v1", extra_headers=True)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run_config([entry], tmp_path, 8321)))

    asked = Namespace(config=str(tmp_path / "run.yaml"), providers=None, format="deps-only")
    load("ogx.cli.stack._list_deps").run_stack_list_deps_command(asked)

    assert [word for word in capsys.readouterr().out.split() if "extra" in word] == [entry["module"]]


def test_an_unset_variable_stops_the_host(tmp_path: Path) -> None:
    """The finding says that OGX does not start, and it does not."""
    entry = inference_provider("a", "http://127.0.0.1:1/v1", extra_headers={"allow": ["${env.NOT_SET_HERE}"]})
    content = run_config([entry], tmp_path, 8321)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))

    with pytest.raises(load("ogx.core.stack").EnvVarError, match="NOT_SET_HERE"):
        load("ogx.core.configure").parse_and_maybe_upgrade_config(content)
    _, (finding,) = checks.check(read_run_config(str(tmp_path / "run.yaml"), os.environ))
    assert "NOT_SET_HERE is not set, so OGX does not start" in finding.message


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
def test_variables_are_replaced_as_ogx_replaces_them(config: object, environment: dict[str, str]) -> None:
    """Values, types, entries that are left out of lists, and the missing variable are the same."""
    stack = load("ogx.core.stack")
    with mock.patch.dict(os.environ, {"HOME": "/home/x", **environment}, clear=True):
        assert _ours(config, dict(os.environ)) == _host(stack, config)
