"""What is wrong with a setting, for people: each finding with its place, what is wrong and what would be right.

Knows pydantic's errors and no policy. It never shows what somebody wrote, except names of settings and entries.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

_MAX_SHOWN = 128


class PolicyFinding(NamedTuple):
    """One thing that is wrong with a setting."""

    path: tuple[str | int, ...]
    """Where, from the setting down: ("allow", 1). Empty for the setting as a whole."""
    text: str
    """What is wrong and what would be right."""

    @property
    def message(self) -> str:
        """The text after its place: `allow[1]: 'a b' can never match`."""
        # A part of an entry may stand in the text.
        text = "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in self.text)
        return f"{place}: {text}" if (place := dotted(self.path)) else text


class PolicyError(ValueError):
    """The `extra_headers` setting of a provider is unusable. The message lists every finding."""

    def __init__(self, message: str, findings: Sequence[PolicyFinding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class EntriesError(ValueError):
    """Entries that are each valid alone do not work together."""

    def __init__(self, findings: Sequence[PolicyFinding]) -> None:
        super().__init__("; ".join(finding.message for finding in findings))
        self.findings = findings


def dotted(path: Sequence[str | int]) -> str:
    """Return a path as people write it: `shadow.allow[1]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{_printable(step)}" for step in path).removeprefix(".")


def findings_of(error: ValidationError, model: type[BaseModel]) -> list[PolicyFinding]:
    """Return what pydantic found wrong with a setting of this model."""
    return [
        finding for each in error.errors(include_url=False, include_input=False) for finding in _findings(each, model)
    ]


def _findings(error: Any, model: type[BaseModel]) -> Iterator[PolicyFinding]:
    # pydantic marks the key of a mapping itself; the place of an entry is that of its key.
    path = tuple(step for step in error["loc"] if step != "[key]")
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, EntriesError):
        yield from (PolicyFinding((*path, *finding.path), finding.text) for finding in cause.findings)
    else:
        yield PolicyFinding(path, _text(error, path, model))


def _text(error: Any, path: Sequence[str | int], model: type[BaseModel]) -> str:
    """Return what one error of pydantic's own means."""
    match error["type"]:
        case "extra_forbidden" | "invalid_key":
            return _unknown_setting(path, model)
        case "tuple_type":
            example = "openai-organization" if path[-1] == "unblock" else "x-tenant-*"
            return f'must be a list of names, such as {path[-1]}: ["{example}"]'
        case "model_type" | "dict_type" | "mapping_type":
            kind = "a list of names or a mapping" if path[-1] == "from_request" else "a mapping"
            return f"must be {kind}, such as {_EXAMPLES[path[-1]]}"
        case "int_type" | "int_from_float" | "greater_than_equal" | "less_than_equal":
            return _range(path, model)
        case _:
            return _TEXTS.get(error["type"]) or _in_our_words(error["msg"])


NOT_A_STRING = (
    "must be a string; quote it in the YAML. OGX converts a value of ${env.NAME} that is empty or looks like a number "
    "or a boolean (007, 1e5, true), so write such a value into the file itself"
)
_TEXTS = {
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": NOT_A_STRING,
    "string_pattern_mismatch": "must start with a letter and contain only letters, digits and '_', such as "
    "vllm_extra_headers",
}
_EXAMPLES: dict[str | int, str] = {
    "from_request": "[x-maas-subscription]",
    "limits": "{max_headers: 32}",
    "shadow": '{allow: ["x-tenant-*"]}',
    "set": '{x-tenant-id: "${user.tenant}"}',
}


def _in_our_words(message: str) -> str:
    message = message.removeprefix("Value error, ")
    subject, _, rest = message.partition(" should ")
    return f"must {rest}" if subject in {"Input", "String"} else message


def _range(path: Sequence[str | int], model: type[BaseModel]) -> str:
    """Return what a limit may be. Its unit is the end of its name."""
    *above, name = path
    bounds = _model_at(model, above).model_fields[str(name)].metadata
    at_least, at_most = (next(getattr(each, key) for each in bounds if hasattr(each, key)) for key in ("ge", "le"))
    return f"must be a whole number of {str(name).rpartition('_')[2]} from {at_least} to {at_most}"


def _unknown_setting(path: Sequence[str | int], model: type[BaseModel]) -> str:
    *above, name = path
    within = _model_at(model, above)
    known = f"known are {', '.join(within.model_fields)}"
    if within is not model and name in model.model_fields:
        return f"a shadow policy has no such setting: it decides on the headers of the live one and never acts; {known}"
    from difflib import get_close_matches  # noqa: PLC0415 - only a server with a mistake in its settings needs it

    nearest = get_close_matches(str(name).lower(), within.model_fields, n=1)
    hint = f"did you mean `{nearest[0]}`? " if nearest else ""
    return f"unknown setting; {hint}{known}"


def _model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel]:
    for step in path:
        annotation = model.model_fields[str(step)].annotation
        candidates = (annotation, *get_args(annotation))
        model = next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
    return model


def _printable(step: str) -> str:
    step = step if len(step) <= _MAX_SHOWN else f"{step[:_MAX_SHOWN]}..."
    return step if step.isascii() and step.isprintable() else ascii(step)
