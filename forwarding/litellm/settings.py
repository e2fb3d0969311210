"""The `extra_headers` settings of a LiteLLM configuration: where they are, and what they may contain.

Pure: reads mappings, imports no host.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ..policy.entries import set_conflicts
from ..policy.model import Policy, PolicyError, PolicyFinding, parse_policy
from .misplaced import DEFAULTS, SETTING, misplaced

IS_NULL = "is null; write true or a mapping, or leave it out"

NOT_HERE = {
    "field": "LiteLLM has no provider data; callers send `extra_headers` in the body of the request",
    "from_request": "no plain headers are taken up on LiteLLM; callers send `extra_headers` in the body of the request",
}


def default_policy(config: Mapping[str, Any]) -> Policy:
    """Return the policy of every deployment without one: `callback_settings.extra_headers`, else all defaults.

    Raises:
        PolicyError: it is unusable.

    """
    settings = config.get(DEFAULTS)
    settings = settings if isinstance(settings, Mapping) else {}
    if SETTING not in settings:
        return Policy()
    return _parsed(settings[SETTING], DEFAULTS)


def policy_of(entry: Mapping[str, Any], default: Policy) -> Policy:
    """Return the policy of an entry of `model_list`: `model_info.extra_headers`, else the default.

    Raises:
        PolicyError: it is unusable, or sets a header that the deployment's own settings name as well.

    """
    subject = subject_of(entry)
    info = entry.get("model_info")
    info = info if isinstance(info, Mapping) else {}
    policy = _parsed(info[SETTING], subject) if SETTING in info else default
    if findings := conflicts(entry, policy):
        raise _unusable(subject, findings)
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
    errors = [PolicyError(message) for _, message in misplaced(config)]
    default = Policy()
    try:
        default = default_policy(config)
    except PolicyError as error:
        errors.append(error)
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


def conflicts(entry: Mapping[str, Any], policy: Policy) -> list[PolicyFinding]:
    """Return the names in `set` that a deployment's own settings send, too."""
    params = entry.get("litellm_params")
    params = params if isinstance(params, Mapping) else {}
    others = {name: f"{place}.{name}" for place in ("headers", SETTING) for name in _names(params.get(place))}
    return set_conflicts(others, policy.set)


def not_on_litellm(policy: Policy) -> list[PolicyFinding]:
    """Return the settings of a policy that mean nothing on LiteLLM."""
    return [
        PolicyFinding((name,), f"{reason}; remove the setting")
        for name, reason in NOT_HERE.items()
        if getattr(policy, name)
    ]


def _unusable(subject: str, findings: list[PolicyFinding]) -> PolicyError:
    listed = "\n  - ".join(found.message for found in findings)
    return PolicyError(f"extra_headers of {subject} is unusable:\n  - {listed}", findings)


def _names(headers: object) -> list[str]:
    return [name for name in headers if isinstance(name, str)] if isinstance(headers, Mapping) else []


def _parsed(setting: object, subject: str) -> Policy:
    if setting is None:
        raise PolicyError(f"extra_headers of {subject} {IS_NULL}")
    policy = parse_policy(setting, subject)
    if findings := not_on_litellm(policy):
        raise _unusable(subject, findings)
    return policy
