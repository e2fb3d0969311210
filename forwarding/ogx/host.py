"""The running host: OGX, or llama-stack under its earlier name. All that is asked of it stands here.

A host is found by what the process has loaded, never imported by guess.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any, cast

from extra_headers.telemetry.contract import NAMESPACE
from extra_headers.telemetry.spans import request_started

from ..policy.decision import RejectedError
from ..policy.identity import User
from ..policy.provider_data import JSON_WHITE_SPACE, RepeatedKeys, decode_object

PROVIDER_DATA_HEADERS = {"ogx": "X-OGX-Provider-Data", "llama_stack": "X-LlamaStack-Provider-Data"}
"""The header with the provider data, by the package of the host."""
_WRAPPED_MARK = "_extra_headers_wrapped"


class UnsupportedHostError(RuntimeError):
    """The add-on was loaded by something that is neither OGX nor llama-stack."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    """What the host's own decoder hides of a provider-data header."""

    malformed: bool
    repeated: RepeatedKeys | None = field(repr=False)
    """The provider data with its equal keys, where it has any at the top level."""
    fields: Mapping[str, RepeatedKeys] = field(repr=False)
    """The values of the top level that are objects with equal keys."""


_WELL_FORMED = _Decoded(malformed=False, repeated=None, fields={})
# Kept in the provider data itself, where the host keeps the authenticated user, too: it then lives exactly as long, and
# is there wherever the host takes up a request's provider data again (background responses, batches). The context of
# such work may be that of another request. A caller can send this key, but no value of that type.
_DECODED_KEY = "__extra_headers_decoded"


class Host:
    """The host's own modules, under whichever name it was loaded."""

    def __init__(self, package: str) -> None:
        self.package = package
        self._request_headers = self._own_module("core.request_headers")
        with contextlib.suppress(ValueError):  # it has no such category
            # The host shows INFO only of its own categories.
            self._own_module("log").get_logger(NAMESPACE, category="providers")

    def load_module(self, path: str) -> ModuleType:
        """Import a module by its dotted path."""
        return importlib.import_module(path)

    def _own_module(self, name: str) -> ModuleType:
        return self.load_module(f"{self.package}.{name}")

    def inference_provider_specs(self) -> list[Any]:
        """Return the host's specs of built-in remote inference providers."""
        available: list[Any] = self._own_module("providers.registry.inference").available_providers()
        return [spec for spec in available if hasattr(spec, "adapter_type")]

    def load_class(self, path: str) -> type[Any]:
        """Import a class by its dotted path, as the host does."""
        return cast(type[Any], self._own_module("core.utils.dynamic").instantiate_class_type(path))

    def openai_mixin(self) -> type[Any]:
        """Return the base class of providers that speak the OpenAI API through the SDK."""
        return cast(type[Any], self._own_module("providers.utils.inference.openai_mixin").OpenAIMixin)

    def extra_headers(self, key: str) -> object | None:
        """Return the extra headers that the caller of the current request sent under `key`; None where there are none.

        Where they are malformed beyond being read, the answer is an object that is no mapping.
        """
        provider_data = self._request_headers.PROVIDER_DATA_VAR.get()
        if not provider_data:
            return None
        decoded, value = provider_data.get(_DECODED_KEY), provider_data.get(key)
        if not isinstance(decoded, _Decoded):
            decoded = _WELL_FORMED
        if (repeated := decoded.repeated) is not None and key in repeated.repeated and repeated[key] == value:
            return decoded
        if value is None or value == {}:
            return decoded if decoded.malformed else None
        kept = decoded.fields.get(key)
        return kept if kept == value else value

    def current_request(self) -> object | None:
        """Return an object that identifies the current request."""
        request: object | None = self._request_headers.PROVIDER_DATA_VAR.get()
        return request

    def user(self) -> User:
        """Return whom the host authenticated for the current request; a user without anything for nobody."""
        user = self._request_headers.get_authenticated_user()
        # llama-stack lets callers send a user of their own making, which then is a plain dict: nobody.
        return User(
            id=getattr(user, "principal", None) or None,
            tenant=getattr(user, "tenant_id", None) or None,
            attributes=getattr(user, "attributes", None) or {},
        )

    def as_http_error(self, error: RejectedError) -> Exception:
        """Return `error` as one that the host answers with its status code, and with the connection kept open.

        Errors that the host has no handler of its own for are answered and then raised again, upon which its HTTP
        server closes the connection under the caller's next request. Of the errors that have one, `ConflictError` is
        the one whose status code and message can be set. The host's Responses hide the message of any error that has no
        `body` in the form of the OpenAI API; of its codes, this is the one that is answered with status 400.
        """
        kind: Any = type(error)  # mypy takes no class for hashable
        answerable = _http_error_class(kind, self.load_module(f"{self.package}_api").ConflictError)(str(error))
        vars(answerable)["body"] = {"error": {"code": "invalid_prompt", "message": str(error)}}
        return answerable

    def install_provider_data_hook(self) -> None:
        """Note, of every request, what the host's decoder of provider data hides. Once per process.

        The host logs and then forgets a provider-data header that is no JSON object, and keeps the last of equal keys.
        """
        module: Any = self._request_headers
        decode = module.parse_request_provider_data
        if not hasattr(decode, _WRAPPED_MARK):
            module.parse_request_provider_data = _recording_decoder(decode, PROVIDER_DATA_HEADERS[self.package])


def _recording_decoder(
    decode: Callable[[Mapping[str, str]], dict[str, Any] | None], header: str
) -> Callable[[Mapping[str, str]], dict[str, Any] | None]:
    def parse_request_provider_data(headers: Mapping[str, str]) -> dict[str, Any] | None:
        # The two spellings that the hosts look for, in their order.
        text = headers.get(header) or headers.get(header.lower())
        if not text or text.strip(JSON_WHITE_SPACE) == "null":
            return decode(headers)
        request_started()
        kept = decode_object(text)
        if kept is None:
            # For the host's own log line. Deep nesting and endless numbers raise in its decoder.
            with contextlib.suppress(ValueError, RecursionError):
                decode(headers)
            return {_DECODED_KEY: _Decoded(malformed=True, repeated=None, fields={})}
        fields = {key: value for key, value in kept.items() if isinstance(value, RepeatedKeys)}
        decoded = _Decoded(False, kept if isinstance(kept, RepeatedKeys) else None, fields)
        return {**(decode(headers) or {}), _DECODED_KEY: decoded}

    setattr(parse_request_provider_data, _WRAPPED_MARK, True)
    return parse_request_provider_data


@cache
def _http_error_class(error: type[Exception], handled: type[Exception]) -> type[Exception]:
    return type(error.__name__, (error, handled), {"__doc__": error.__doc__})


def current_host() -> Host:
    """Return the host that loaded the add-on.

    Raises:
        UnsupportedHostError: there is none.

    """
    for package in PROVIDER_DATA_HEADERS:
        if f"{package}.core.distribution" in sys.modules:
            return Host(package)
    raise UnsupportedHostError(
        "extra_headers.forwarding was loaded outside a server; it is meant for `module: extra_headers.forwarding` in "
        "the run config of OGX or llama-stack"
    )
