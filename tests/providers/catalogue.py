"""How to configure each provider type for the tests, and how to tell that its own credential arrived.

Every type that a host knows has an entry here (a test keeps it so), whatever path its calls take.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from tests.providers.answers import IAM_TOKEN

PROVIDER_KEY = "the-provider-key"
OCI_SIGNING_KEY = b"the-signing-key"
"""Of the stand-in for Oracle's SDK."""
_ACCESS_KEY = "the-access-key"
_REGION = "us-east-2"


def _one(request: ReceivedRequest, name: str) -> str:
    (value,) = request.values(name)
    return value


def bearer(request: ReceivedRequest) -> None:
    """Assert that the key arrived as a bearer token, once."""
    assert _one(request, "authorization") == f"Bearer {PROVIDER_KEY}"


def _no_credential(request: ReceivedRequest) -> None:
    assert request.values("authorization") in ([], ["Bearer NO KEY REQUIRED"])


def _bearer_or_x_api_key(request: ReceivedRequest) -> None:
    if "/messages" in request.path:
        assert _one(request, "x-api-key") == PROVIDER_KEY
        assert request.values("authorization") == []
    else:
        bearer(request)
        assert request.values("x-api-key") == []


def _ollama(request: ReceivedRequest) -> None:
    if "/messages" in request.path:
        assert _one(request, "x-api-key") == "no-key-required"
    else:
        _no_credential(request)


def _iam_token(request: ReceivedRequest) -> None:
    assert _one(request, "authorization") == f"Bearer {IAM_TOKEN}"


def _azure(request: ReceivedRequest) -> None:
    bearer(request)
    assert _one(request, "api-key") == PROVIDER_KEY


def _gemini(request: ReceivedRequest) -> None:
    if request.path.endswith("/interactions"):
        assert _one(request, "x-goog-api-key") == PROVIDER_KEY
    else:
        bearer(request)
        assert request.values("x-goog-api-key") == []


def _aws_signature(request: ReceivedRequest) -> None:
    """Assert that the AWS Signature Version 4 is right for the request as it arrived."""
    authorization = _one(request, "authorization")
    assert authorization.startswith(f"AWS4-HMAC-SHA256 Credential={_ACCESS_KEY}/")
    parts = dict(part.strip().split("=", 1) for part in authorization.partition(" ")[2].split(","))
    scope = parts["Credential"].partition("/")[2]
    signed = parts["SignedHeaders"].split(";")
    headers = "".join(f"{name}:{_one(request, name)}\n" for name in signed)
    body = hashlib.sha256(request.body).hexdigest()
    canonical = f"{request.method}\n{request.path}\n\n{headers}\n{';'.join(signed)}\n{body}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{_one(request, 'x-amz-date')}\n{scope}\n{digest}"
    key = f"AWS4{PROVIDER_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert hmac.new(key, to_sign.encode(), "sha256").hexdigest() == parts["Signature"]


def _oci_signature(request: ReceivedRequest) -> None:
    """Assert that the HTTP signature is right for the request as it arrived, and covers its body."""
    parts = dict(part.split("=", 1) for part in _one(request, "authorization").removeprefix("Signature ").split(","))
    signed = parts["headers"].strip('"').split()
    assert {"date", "(request-target)", "host", "x-content-sha256"} <= set(signed)
    target = f"{request.method.lower()} {request.path}"
    to_sign = "\n".join(f"{name}: {target if name[0] == '(' else _one(request, name)}" for name in signed)
    expected = base64.b64encode(hmac.digest(OCI_SIGNING_KEY, to_sign.encode(), "sha256")).decode()
    assert parts["signature"].strip('"') == expected
    assert _one(request, "x-content-sha256") == base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    assert _one(request, "compartmentid") == "the-compartment"


@dataclass(frozen=True, slots=True)
class Case:
    """One provider type."""

    config: Mapping[str, Any] = field(default_factory=dict)
    """What its config needs beyond an address and a key; `{url}` stands for the upstream's address."""
    key: str | None = "api_key"
    """The setting that takes the key."""
    address: str | None = "base_url"
    """The setting that takes the address; None where it cannot be configured, and the tunnel is used."""
    path: str = "/v1"
    """Of the address."""
    credential: Callable[[ReceivedRequest], None] = bearer
    """Asserts that the provider's own credential is in a request."""
    embeddings: Mapping[str, Any] = field(default_factory=dict)
    """What a request for embeddings needs beyond its input."""
    unreadable: str | None = None
    """An endpoint whose answer the host's own adapter cannot read, whatever the provider sends."""


_SIGV4 = {"region_name": _REGION, "aws_access_key_id": _ACCESS_KEY, "aws_secret_access_key": PROVIDER_KEY}
_OCI = {"oci_auth_type": "instance_principal", "oci_region": "us-ashburn-1", "oci_compartment_id": "the-compartment"}
CASES: Mapping[str, Case] = {
    "anthropic": Case(address=None, credential=_bearer_or_x_api_key),
    "azure": Case(config={"network": {"headers": {"api-key": PROVIDER_KEY}}}, credential=_azure),
    "bedrock": Case(config=_SIGV4, key=None, address=None, credential=_aws_signature),
    "cerebras": Case(),
    "databricks": Case(key="api_token", path="/serving-endpoints"),
    "deepseek": Case(config={"anthropic_base_url": "{url}/anthropic"}, credential=_bearer_or_x_api_key),
    "fireworks": Case(credential=_bearer_or_x_api_key),
    "gemini": Case(address=None, credential=_gemini),
    "groq": Case(),
    "llama-cpp-server": Case(),
    "llama-openai-compat": Case(),
    "meta": Case(credential=_bearer_or_x_api_key),
    "mistral": Case(),
    "nvidia": Case(),
    "oci": Case(config=_OCI, key=None, address=None, credential=_oci_signature),
    "ollama": Case(key=None, credential=_ollama),
    "openai": Case(),
    "passthrough": Case(path=""),
    "runpod": Case(key="api_token"),
    "sambanova": Case(),
    "text-embeddings-inference": Case(),
    "together": Case(),
    # OGX 1.5 asks an embedding for its `value`, where Google's SDK has `values`.
    "vertexai": Case({"project": "the-project"}, key="access_token", address=None, unreadable="embeddings"),
    "vllm": Case(key="api_token"),
    "watsonx": Case(
        {"project_id": "the-project"}, path="", credential=_iam_token, embeddings={"dimensions": 2, "user": "u"}
    ),
}


def provider_entry(adapter_type: str, extra_headers: object = None) -> dict[str, Any]:
    """Return the run config's entry for a provider of a type; `{url}` stands for the upstream's address."""
    case = CASES[adapter_type]
    config: dict[str, Any] = dict(case.config)
    if case.key is not None:
        config[case.key] = PROVIDER_KEY
    if case.address is not None:
        config[case.address] = "{url}" + case.path
    entry: dict[str, Any] = {"provider_type": f"remote::{adapter_type}", "config": config}
    if extra_headers is not None:
        entry["module"] = "extra_headers.forwarding"
        config["extra_headers"] = extra_headers
    return entry
