"""A LiteLLM config.yaml as the commands read it: its models as providers. Imports no host.

Only policies, names and what makes LiteLLM know users are ever taken from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..policy.model import PolicyError, parse_policy
from ..run_config.environment import FromEnvironment, KeyPath, Unset
from ..run_config.providers import Provider, RunConfig
from ..run_config.yaml_document import Document
from .misplaced import DEFAULTS, SETTING
from .outbound_names import client_names

HOST = "LiteLLM"
_SECTIONS = {"model_list", "litellm_settings", DEFAULTS, "general_settings", "router_settings", "mcp_servers"}
_REFERENCE = "os.environ/"
_IDENTITY = ("master_key", "custom_auth", "enable_jwt_auth", "enable_oauth2_auth", "enable_oauth2_proxy_auth")
_MASTER_KEY = "LITELLM_MASTER_KEY"


def is_litellm_config(document: Document) -> bool:
    """Return whether a document is the configuration of a LiteLLM proxy, by its sections."""
    return "providers" not in document.content and not _SECTIONS.isdisjoint(document.content)


def read_litellm_config(document: Document, path: str, environment: Mapping[str, str]) -> RunConfig:
    """Return the models of a configuration, each as a provider, and the default policy."""
    content = resolved(document.content, environment)
    general = _mapping(content.get("general_settings"))
    default = _provider((DEFAULTS,), _mapping(document.content.get(DEFAULTS)), environment)
    models = list(_models(document.content.get("model_list"), content, default, environment))
    using = dict.fromkeys(str(_written(model.id)) for model in models if model.setting_path == default.setting_path)
    default = replace(default, type=f"default of {', '.join(using) or 'no model'}")
    return RunConfig(
        path,
        document,
        tuple(models),
        unset=(),
        authenticates=any(general.get(name) for name in _IDENTITY) or _MASTER_KEY in environment,
        host=HOST,
        auth_setting="general_settings.master_key",
        defaults=default,
    )


def resolved(value: Any, environment: Mapping[str, str], *, written: bool = False) -> Any:
    """Return a part of a configuration as LiteLLM reads it: `os.environ/NAME` replaced, but for entries of lists.

    Args:
        value: the part.
        environment: the variables.
        written: leave text from variables as it is written, so that the result may be printed.

    """
    if isinstance(value, Mapping):
        return {key: resolved(below, environment, written=written) for key, below in value.items()}
    if isinstance(value, list):
        return [resolved(each, environment, written=written) if isinstance(each, Mapping) else each for each in value]
    if not isinstance(value, str) or not value.startswith(_REFERENCE):
        return value
    found = environment.get(value.removeprefix(_REFERENCE))
    switch = {"true": True, "false": False}.get((found or "").strip().lower())
    if switch is not None or not found:
        return switch if found else found
    return value if written else FromEnvironment(found, value)


def _models(
    entries: object, content: Mapping[str, Any], default: Provider, environment: Mapping[str, str]
) -> Iterator[Provider]:
    """Yield the entries of `model_list`, under the names that the metrics have."""
    policies: dict[str, list[object]] = {}
    for index, raw in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(raw, Mapping):
            continue
        path: KeyPath = ("model_list", index)
        own = _provider((*path, "model_info"), _mapping(raw.get("model_info")), environment)
        provider = own if own.has_setting else replace(default, has_setting=False)
        entry = content["model_list"][index]
        name = entry.get("model_name")
        known = policies.setdefault(str(name), [])
        if (policy := _policy(provider.setting)) not in known:
            known.append(policy)
        number = known.index(policy)
        params = _mapping(entry.get("litellm_params"))
        yield replace(
            provider,
            path=path,
            id=_numbered(name, number),
            type=f"litellm::{_provider_name(params)}",
            outbound=_outbound(params, content),
        )


def _provider(path: KeyPath, section: Mapping[str, Any], environment: Mapping[str, str]) -> Provider:
    """Return the policy in a section, as a provider without a model."""
    here = (*path, SETTING)
    unset = tuple(_unset(section.get(SETTING), environment, here))
    return Provider(
        api="inference",
        path=path,
        id=str(path[-1]),
        type="litellm",
        module=None,
        has_setting=SETTING in section,
        # Nothing more can be said of a setting of which a part is missing.
        setting=None if unset else resolved(section.get(SETTING, True), environment),
        network_headers=(),
        misplaced_setting=False,
        misspelt_settings=(),
        unset=unset,
        setting_path=here,
        field=SETTING,
    )


def _unset(value: Any, environment: Mapping[str, str], path: KeyPath) -> Iterator[Unset]:
    """Yield the references to variables that are not set, for which LiteLLM reads null."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _unset(below, environment, (*path, key))
    elif isinstance(value, str) and value.startswith(_REFERENCE):
        name = value.removeprefix(_REFERENCE)
        if name not in environment:
            yield Unset(name, path)


def _policy(setting: object) -> object:
    """Return what is equal for settings of equal meaning."""
    try:
        return parse_policy(setting, "")
    except PolicyError:
        return setting


def _numbered(name: object, number: int) -> str:
    suffix = f"#{number + 1}" if number else ""
    if isinstance(name, FromEnvironment):
        return FromEnvironment(name + suffix, name.written + suffix)
    return f"{_written(name)}{suffix}"


def _provider_name(params: Mapping[str, Any]) -> str:
    """Return LiteLLM's name of a deployment's provider, where its settings say it."""
    named, model = params.get("custom_llm_provider"), str(_written(params.get("model") or ""))
    return str(_written(named)) if named else model.partition("/")[0] if "/" in model else "openai"


def _outbound(params: Mapping[str, Any], content: Mapping[str, Any]) -> Mapping[str, frozenset[str]]:
    """Return the names of the headers on every call to a deployment, by what puts them there."""
    provider = _provider_name(params)
    settings = {f"litellm_params.{name}": params.get(name) for name in ("headers", SETTING)}
    settings["litellm_settings.headers"] = _mapping(content.get("litellm_settings")).get("headers")
    own = {place: frozenset(map(str, headers)) for place, headers in settings.items() if isinstance(headers, Mapping)}
    client = client_names(provider, organization=bool(params.get("organization")))
    return {f"LiteLLM's client for {provider}": client, **own}


def _written(value: object) -> object:
    """Return a value, whatever it is, as it is written in the file: what may be printed."""
    if isinstance(value, Mapping):
        return {key: _written(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_written(each) for each in value]
    return value.written if isinstance(value, FromEnvironment) else value


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
