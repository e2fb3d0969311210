"""What must hold for any bytes: what an operator sets in the first line, what a caller sends in the others.

The first line is the JSON of a policy, or of a whole run config of OGX or LiteLLM. The second is the provider data, and
each further one a plain header of the request. Raises `AssertionError`, or whatever escapes, where a law does not hold.
Knows no fuzzer.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import yaml

from extra_headers.forwarding import (
    BlockedHeadersError,
    Evaluation,
    MalformedHeadersError,
    Policy,
    PolicyError,
    evaluate,
)
from extra_headers.forwarding.litellm import config_checks, config_file
from extra_headers.forwarding.policy.model import parse_policy
from extra_headers.forwarding.policy.provider_data import RepeatedKeys, merged, taken_from_request
from extra_headers.forwarding.run_config import checks
from extra_headers.forwarding.run_config.providers import run_config_of
from extra_headers.forwarding.run_config.yaml_document import Document, UnusableFileError
from extra_headers.telemetry.audit import AuditLog
from extra_headers.telemetry.audit_sinks import MAX_LINE_BYTES, AuditRecord, json_line, log_message
from extra_headers.telemetry.spans import decision_attributes
from tests.attacks.corpus import caller_headers
from tests.core.oracle import expected_reasons

OUTBOUND = frozenset({"Authorization", "User-Agent", "Accept", "X-Own"})
_SUBJECT = "a fuzzed provider"
_ENVIRONMENT = {"A": "s3cr3t", "B": ""}
"""What a run config can refer to: `${env.A}`, `os.environ/A`."""


def check(data: bytes) -> None:
    """Parse the setting and decide the headers; compare both with what they must be."""
    setting, _, request = data.partition(b"\n")
    policy = _check_setting(setting)
    if policy is None:
        return
    # As the host decodes a header; bytes that are no UTF-8 do not get that far.
    provider_data, _, lines = request.partition(b"\n")
    headers = caller_headers(provider_data.decode("utf-8", "ignore"))
    _check_decisions(_with_plain_headers(headers, lines.decode("latin-1"), policy), policy)


# Most inputs differ from an earlier one only in what the caller sends.
@lru_cache(maxsize=4096)
def _check_setting(text: bytes) -> Policy | None:
    """Whatever the setting is: a policy, or the error meant for the operator, on lines of printable ASCII."""
    try:
        setting: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(setting, dict) and not {"providers", "model_list"}.isdisjoint(setting):
        _check_run_config(setting)
        return None
    try:
        policy = parse_policy(setting, _SUBJECT)
    except PolicyError as error:
        message = str(error)
        assert message.startswith(f"extra_headers of {_SUBJECT}")
        assert message.replace("\n  - ", "").isprintable()
        assert message.isascii()
        return None
    again = parse_policy(policy.model_dump(exclude_none=True), _SUBJECT)
    assert (again, again.digest) == (policy, policy.digest)
    return policy


def _check_run_config(content: dict[str, Any]) -> None:
    """Whatever the run config is: it is refused in a sentence, or has findings that tell no variable's value."""
    document = Document(content, (), yaml.ScalarNode("", "", yaml.Mark("", 0, 0, 0, "", 0)))
    try:
        if config_file.is_litellm_config(document):
            checked, findings = config_checks.check(config_file.read_litellm_config(document, "a", _ENVIRONMENT))
        else:
            checked, findings = checks.check(run_config_of(document, "a", _ENVIRONMENT))
    except UnusableFileError:
        return
    told = [f.message for f in findings] + [f.provider or "" for f in findings]
    assert not any(_ENVIRONMENT["A"] in text for text in told)
    # A policy that cannot be used is never passed over in silence.
    assert all(one.policy is not None for one in checked) or any(f.level.value == "error" for f in findings)


def _with_plain_headers(headers: object | None, lines: str, policy: Policy) -> object | None:
    """Return all that a caller sends; of plain headers only what the policy lists, and all of that."""
    split = [line.partition(":") for line in lines.splitlines()]
    plain = [(name.lower(), value.strip(" \t")) for name, _, value in split]
    taken = taken_from_request(plain, policy.from_request)
    listed = [(policy.from_request[name], value) for name, value in plain if name in policy.from_request]
    assert _pairs(taken) == listed
    together = merged((), headers, taken)
    if headers is None or isinstance(headers, Mapping):
        assert _pairs(together) == [*_pairs(headers), *listed]
    return together


def _pairs(headers: object | None) -> list[tuple[str, object]]:
    if not isinstance(headers, Mapping):
        return []
    return list(headers.pairs if isinstance(headers, RepeatedKeys) else headers.items())


def _check_decisions(headers: object, policy: Policy) -> None:
    """Each decision is the one of the naive reading, and nothing that can be shown holds more than it may."""
    if headers is None:
        return
    evaluation = evaluate(headers, policy, OUTBOUND)
    if not policy.enabled:
        assert evaluation == Evaluation({}, ())
        return
    if isinstance(headers, Mapping):
        pairs = _pairs(headers)
        assert [d.reason for d in evaluation.decisions] == expected_reasons(pairs, policy, OUTBOUND)
        assert set(evaluation.forwarded.items()) <= {(n, v) for n, v in pairs if type(v) is str}
    else:
        assert len(evaluation.decisions) == 1
    if evaluation.rejected_for is not None:
        assert dict(evaluation.forwarded) == {}
    shown = [repr(evaluation), *_audit_texts(evaluation, policy)]
    try:
        evaluation.raise_for_rejection("vllm")
    except (BlockedHeadersError, MalformedHeadersError) as error:
        shown.append(str(error))
    assert all(text.isascii() and text.isprintable() for text in shown)


class _Shown:
    """Keeps what an audit record shows, as a line and as a log record."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, record: AuditRecord) -> None:
        line = json_line(record)
        assert len(line) <= MAX_LINE_BYTES
        self.texts += [line.decode().removesuffix("\n"), log_message(record)]


def _audit_texts(evaluation: Evaluation, policy: Policy) -> list[str]:
    shown = _Shown()
    attributes = decision_attributes(evaluation, "vllm", policy.digest)
    AuditLog(shown, every_request=True).record(evaluation, attributes, None)
    return shown.texts
