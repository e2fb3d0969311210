"""The JSON Schemas and the configuration reference are generated from the model, and current."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from extra_headers.forwarding import Limits, Policy
from extra_headers.forwarding.cli import json_schema, reference
from extra_headers.forwarding.policy.mcp import MCP_PROVIDERS, unfit_settings
from extra_headers.forwarding.policy.model import ShadowPolicy, parse_policy
from extra_headers.forwarding.testing.processes import inference_provider, run_config
from tests.cli.conftest import Invoke
from tests.core.test_policy import USEFUL_SETTINGS
from tests.core.test_unusable_settings import BAD_SETTINGS

_DOCS = Path(__file__).parents[2] / "docs"
_VALIDATOR = Draft202012Validator(json_schema.schema())


_MODELS = (Policy, ShadowPolicy, Limits)
_SETTINGS = {f"{model.__name__}.{name}": field for model in _MODELS for name, field in model.model_fields.items()}


def test_every_setting_has_a_description() -> None:
    """The reference and editors show the description."""
    assert [name for name, field in _SETTINGS.items() if not str(field.description).endswith(".")] == []


def test_the_reference_names_every_setting() -> None:
    """Each row has an example that is YAML."""
    rows = [line for line in reference.render().splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(name.partition(".")[2] for name in _SETTINGS)
    for row in rows:
        name, example = row.split("`")[1], row.rpartition("| `")[2].removesuffix("` |")
        assert list(yaml.safe_load(example.replace("\\|", "|"))) == [name]


@pytest.mark.parametrize(
    ("name", "render"), [("configuration.md", reference.render), ("extra-headers.schema.json", json_schema.render)]
)
def test_the_committed_files_are_current(name: str, render: Any) -> None:
    """`make docs` writes these files."""
    assert (_DOCS / name).read_text(encoding="utf-8") == render()


def test_the_command_prints_the_schema(invoke: Invoke) -> None:
    """It prints exactly what is committed."""
    done = invoke("schema")
    assert (done.exit_code, done.out, done.err) == (0, json_schema.render(), "")


def test_it_is_a_schema() -> None:
    """It follows the rules of its dialect and has a title and descriptions."""
    schema = json.loads(json_schema.render())
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["title"] == "extra_headers"
    assert all(definition["description"] for definition in schema["$defs"].values())
    assert "pydantic" not in json_schema.render()


@pytest.mark.parametrize(
    "setting", [*USEFUL_SETTINGS.values(), True, False, None], ids=[*USEFUL_SETTINGS, "t", "f", "n"]
)
def test_it_takes_every_useful_policy(setting: object) -> None:
    """An editor must not mark a valid policy."""
    _VALIDATOR.validate(json.loads(json.dumps(setting)))


@pytest.mark.parametrize(
    "setting",
    [
        "${env.X:=true}",
        {"enabled": "${env.X}"},
        {"allow": ["x-a", "${env.X:=x-*}"], "on_blocked": "${env.X:+reject}"},
        {"limits": {"max_headers": "${env.MAX:=32}"}},
    ],
    ids=str,
)
def test_it_takes_environment_variables(setting: object) -> None:
    """A reference can replace every single value."""
    _VALIDATOR.validate(setting)


# What a schema cannot express.
_FOUND_BY_CHECK_ALONE = {
    name
    for name in BAD_SETTINGS
    if "core" in name or name.startswith(("lift", "allow", "block", "from_request to", "from_request against"))
} | {
    "a shadow with allow as null",
    "from_request of a credential",
    "from_request of the provider data",
    "a value limit that cannot be reached",
    "a key that YAML reads as true",
    "a limit's key that is a number",
    "a name within a prefix",
    "a prefix within a prefix",
    "the same entry twice",
    "the same lifted name twice",
    "from_request twice",
    "from_request twice, sent under two names",
    "field with a line feed",
    "enabled as a word",
}


@pytest.mark.parametrize("name", sorted(set(BAD_SETTINGS) - _FOUND_BY_CHECK_ALONE))
def test_it_refuses_bad_policies(name: str) -> None:
    """It rejects unknown settings, wrong types, sizes out of range and invalid names."""
    assert not _VALIDATOR.is_valid(json.loads(json.dumps(BAD_SETTINGS[name][0])))


def test_the_examples_are_usable() -> None:
    """All examples together are a valid policy."""
    settings = {name: about for model in _MODELS for name, about in model.model_fields.items()}
    examples = {name: about.examples[0] for name, about in settings.items() if about.examples}
    chosen = {key: value for key, value in examples.items() if key != "unblock"}
    assert parse_policy(chosen, "the examples").allow
    assert parse_policy({"unblock": examples["unblock"]}, "the examples").unblock


class TestRunConfigSchema:
    """`schema --run-config`, which an editor attaches to a whole file."""

    VALIDATOR = Draft202012Validator(json_schema.run_config_schema())

    def test_the_command_prints_it(self, invoke: Invoke) -> None:
        """The command prints the schema, which follows the rules of its dialect."""
        printed = json.loads(invoke("schema", "--run-config").out)
        Draft202012Validator.check_schema(printed)
        assert printed == json_schema.run_config_schema()

    def test_it_takes_a_run_config_that_a_server_starts_with(self, tmp_path: Path) -> None:
        """It accepts providers with and without extra headers, and every other section of the file."""
        providers = [
            inference_provider(name, "http://127.0.0.1:1/v1", extra_headers=setting)
            for name, setting in (("a", {"allow": ["x-a"]}), ("b", True), ("c", None))
        ]
        self.VALIDATOR.validate(json.loads(json.dumps(run_config(providers, tmp_path, 8321))))

    def test_it_refuses_what_does_not_fit_an_mcp_provider(self) -> None:
        """It accepts and refuses the same settings as `check`, on each kind of provider that calls MCP servers."""
        settings: list[dict[str, Any]] = [
            *({"set": {"x-a": "v"}}, {"from_request": ["x-a"]}, {"from_request": {"x-a": "x-b"}}, {"field": "a"}),
            *({"on_redirect": "keep"}, {"on_redirect": "drop"}, {"set": {}}, {"from_request": []}, {"allow": ["x-a"]}),
        ]
        for kind in MCP_PROVIDERS:
            for setting in settings:
                unfit = unfit_settings(parse_policy(setting, ""), kind)
                entry = {"provider_id": "a", "provider_type": kind.provider_type, "config": {"extra_headers": setting}}
                assert self.VALIDATOR.is_valid({"providers": {kind.api: [entry]}}) == (not unfit), (kind, setting)
                assert self.VALIDATOR.is_valid({"providers": {"inference": [entry]}})
                assert self.VALIDATOR.is_valid({"providers": {kind.api: [{**entry, "provider_type": "remote::a"}]}})

    @pytest.mark.parametrize(
        "entry",
        [
            {"config": {"extra_headers": {"alow": ["x-a"]}}},
            {"config": {"extra_headers": {"limits": {"max_headers": 0}}}},
            {"extra_headers": True},
        ],
        ids=str,
    )
    def test_it_refuses_a_bad_setting_wherever_it_is(self, entry: dict[str, Any]) -> None:
        """It rejects bad settings under every API, and `extra_headers` outside of `config`."""
        for api in ("inference", "tool_runtime"):
            assert not self.VALIDATOR.is_valid({"version": 2, "providers": {api: [{"provider_id": "a", **entry}]}})
