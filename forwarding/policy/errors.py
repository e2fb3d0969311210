"""What is wrong with a setting, for people: each finding with its place, what is wrong and what would be right.

Knows pydantic's errors and no policy; never shows what somebody wrote but names of settings and entries.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError


class PolicyFinding(NamedTuple):
    """One thing that is wrong with a setting."""

    path: tuple[str | int, ...]
    """Where, from the setting down: ("allow", 1). Empty for the setting as a whole."""
    message: str
    """Where, what is wrong and what would be right."""


class PolicyError(ValueError):
    """The `extra_headers` setting of a provider is unusable. The message lists every finding."""

    def __init__(self, message: str, findings: Sequence[PolicyFinding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class EntriesError(ValueError):
    """Entries that are each valid alone make no sense together.

    Args:
        findings: each begins with its place: "allow[1] 'x-a' ...".
        within: the part of the setting that they are in, where it is not the one that is being validated.

    """

    def __init__(self, findings: Sequence[str], within: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join(".".join((*within, finding)) for finding in findings))
        self.findings = findings
        self.within = within


def findings_of(error: ValidationError, settings: Mapping[str | None, type[BaseModel]]) -> list[PolicyFinding]:
    """Return what pydantic found.

    Args:
        error: of the setting.
        settings: the model of the setting, by None, and those of its parts that have settings of their own, by name.

    """
    return [
        finding
        for each in error.errors(include_url=False, include_input=False)
        for finding in _findings(each, settings)
    ]


def _findings(error: Any, settings: Mapping[str | None, type[BaseModel]]) -> Iterator[PolicyFinding]:
    cause = error.get("ctx", {}).get("error")
    if not isinstance(cause, EntriesError):
        yield PolicyFinding(error["loc"], _told(error, settings))
        return
    above = (*error["loc"], *cause.within)
    for text in cause.findings:
        field, _, rest = text.partition("[")
        index = rest.partition("]")[0]
        path = (field, int(index)) if field.isidentifier() and index.isdecimal() else ()
        yield PolicyFinding((*above, *path), ".".join((*above, text)))


def _told(error: Any, settings: Mapping[str | None, type[BaseModel]]) -> str:
    """Return one line for one error of pydantic's own."""
    location = ""
    for part in error["loc"]:
        key = part if isinstance(part, int) or (part.isascii() and part.isprintable()) else ascii(part)
        location += f"[{key}]" if isinstance(part, int) else f".{key}" if location else key
    location = location.removesuffix(".[key]")
    message = str(error["msg"]).removeprefix("Value error, ")
    match error["type"]:
        case "extra_forbidden" | "invalid_key":
            message = _unknown_setting(error["loc"], settings)
        case "bool_type" | "bool_parsing":
            message = "must be true or false"
        case "int_type":
            message = "must be a whole number, such as 32"
        case "tuple_type":
            example = "openai-organization" if error["loc"][-1] == "unblock" else "x-tenant-*"
            message = f'must be a list of names, such as {error["loc"][-1]}: ["{example}"]'
        case "string_type":
            message = "must be a string; quote it in the YAML"
        case "string_pattern_mismatch":
            message = "must start with a letter and hold only letters, digits and '_', such as vllm_extra_headers"
        case "model_type" | "dict_type" | "mapping_type":
            message = f"must be a mapping, such as {_EXAMPLES[error['loc'][-1]]}"
    return f"{location}: {message}" if location else message


_EXAMPLES = {
    "limits": "{max_headers: 32}",
    "shadow": '{allow: ["x-tenant-*"]}',
    "set": '{x-tenant-id: "${user.tenant}"}',
}


def _unknown_setting(location: Sequence[str | int], settings: Mapping[str | None, type[BaseModel]]) -> str:
    within = location[-2] if len(location) > 1 else None
    known = settings.get(within if isinstance(within, str) else None, settings[None]).model_fields
    what = "unknown setting"
    if within == "shadow" and location[-1] in settings[None].model_fields:
        what = "a shadow policy has no such setting: it decides on the headers of the live one and never acts"
    return f"{what}; known are {', '.join(known)}"
