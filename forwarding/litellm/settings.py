"""The `extra_headers` settings of a LiteLLM configuration: where they stand, and what they may say.

Pure: reads mappings, imports no host.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ..policy.entries import set_conflicts
from ..policy.model import Policy, PolicyError, PolicyFinding, parse_policy

SETTING = "extra_headers"

_NOT_HERE = {
    "field": "LiteLLM has no provider data; callers send `extra_headers` in the body of the request",
    "from_request": "no plain headers are taken up on LiteLLM; callers send `extra_headers` in the body of the request",
}


def default_policy(config: Mapping[str, Any]) -> Policy:
    """Return the policy of every deployment without one: `callback_settings.extra_headers`, else all defaults.

    Raises:
        PolicyError: it is unusable.

    """
    settings = config.get("callback_settings")
    settings = settings if isinstance(settings, Mapping) else {}
    if SETTING not in settings:
        return Policy()
    return _parsed(settings[SETTING], "callback_settings")


def policy_of(entry: Mapping[str, Any], default: Policy) -> Policy:
    """Return the policy of an entry of `model_list`: `model_info.extra_headers`, else the default.

    Raises:
        PolicyError: it is unusable, or sets a header that the deployment's own settings name as well.

    """
    subject = subject_of(entry)
    info = entry.get("model_info")
    info = info if isinstance(info, Mapping) else {}
    policy = _parsed(info[SETTING], subject) if SETTING in info else default
    params = entry.get("litellm_params")
    params = params if isinstance(params, Mapping) else {}
    others = {name: f"{place}.{name}" for place in ("headers", SETTING) for name in _names(params.get(place))}
    if findings := set_conflicts(others, policy.set):
        raise PolicyError(
            f"extra_headers of {subject} is unusable:\n  - " + "\n  - ".join(found.message for found in findings),
            findings,
        )
    return policy


def subject_of(entry: Mapping[str, Any]) -> str:
    """Return what to call an entry of `model_list` in errors."""
    params = entry.get("litellm_params")
    model = params.get("model") if isinstance(params, Mapping) else None
    return f"model {entry.get('model_name')!r} ({model})"


def checked(config: Mapping[str, Any]) -> Policy:
    """Check every policy of a configuration and return the default one.

    Raises:
        PolicyError: one is unusable; the message lists all of them.

    """
    default = default_policy(config)
    errors = []
    for entry in entries(config):
        try:
            policy_of(entry, default)
        except PolicyError as error:
            errors.append(error)
    if errors:
        raise PolicyError(
            "\n".join(str(error) for error in errors), [found for error in errors for found in error.findings]
        )
    return default


def entries(config: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return the entries of `model_list`."""
    listed = config.get("model_list")
    return [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []


def _names(headers: object) -> list[str]:
    return [name for name in headers if isinstance(name, str)] if isinstance(headers, Mapping) else []


def _parsed(setting: object, subject: str) -> Policy:
    if setting is None:
        message = "is null; write true or a mapping, or leave it out"
        raise PolicyError(f"extra_headers of {subject} {message}")
    policy = parse_policy(setting, subject)
    for name, reason in _NOT_HERE.items():
        if getattr(policy, name):
            message = f"{name}: {reason}; remove the setting"
            raise PolicyError(
                f"extra_headers of {subject} is unusable:\n  - {message}", [PolicyFinding((name,), message)]
            )
    return policy
