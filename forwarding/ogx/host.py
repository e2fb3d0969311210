"""The running host: OGX, or llama-stack under its earlier name. All that is asked of it stands here.

A host is found by what the process has loaded, never imported by guess.
"""

import contextlib
import importlib
import logging
import sys
from functools import cache
from importlib.metadata import version
from types import ModuleType
from typing import Any, cast

from extra_headers.telemetry.contract import NAMESPACE

from ..policy.decision import RejectedError
from ..policy.identity import User
from ..policy.mcp import MCP_PROVIDERS
from .request import RequestHook

PROVIDER_DATA_HEADERS = {"ogx": "X-OGX-Provider-Data", "llama_stack": "X-LlamaStack-Provider-Data"}
"""The header with the provider data, by the package of the host."""


_log = logging.getLogger(__name__)


class UnsupportedHostError(RuntimeError):
    """The add-on was loaded by something that is neither OGX nor llama-stack."""


class Host:
    """The host's own modules, under whichever name it was loaded."""

    def __init__(self, package: str) -> None:
        self.package = package
        self._request_headers: Any = self._own_module("core.request_headers")
        header = PROVIDER_DATA_HEADERS[package]
        others = [other for other in PROVIDER_DATA_HEADERS.values() if other != header]
        self.hook = RequestHook.of(self._request_headers, header, others)
        with contextlib.suppress(ValueError):  # it has no such category
            # The host shows INFO only of its own categories.
            self._own_module("log").get_logger(NAMESPACE, category="providers")

    def install_hook(self) -> None:
        """Record what each request to come sends for the providers."""
        server = self._own_module("core.server.server")
        routes = f"{self.package}_api.responses.fastapi_routes"
        self.hook.install(server.ProviderDataMiddleware, sys.modules.get(routes))

    def _own_module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{name}")

    def inference_provider_specs(self) -> list[Any]:
        """Return the host's specs of built-in remote inference providers."""
        available: list[Any] = self._own_module("providers.registry.inference").available_providers()
        return [spec for spec in available if hasattr(spec, "adapter_type")]

    def provider_specs(self) -> list[Any]:
        """Return the host's specs of all built-in providers that can have extra headers."""
        specs = self.inference_provider_specs()
        for kind in MCP_PROVIDERS:
            available = self._own_module(f"providers.registry.{kind.api}").available_providers()
            specs += [spec for spec in available if spec.provider_type == kind.provider_type]
        return specs

    def load_class(self, path: str) -> type[Any]:
        """Import a class by its dotted path, as the host does."""
        return cast(type[Any], self._own_module("core.utils.dynamic").instantiate_class_type(path))

    def openai_mixin(self) -> type[Any]:
        """Return the base class of providers that speak the OpenAI API through the SDK."""
        return cast(type[Any], self._own_module("providers.utils.inference.openai_mixin").OpenAIMixin)

    def user(self) -> User:
        """Return whom the host authenticated for the current request; a user without anything for nobody."""
        user = self._request_headers.get_authenticated_user()
        # llama-stack lets callers send a user of their own making, which then is a plain dict: nobody.
        return User(
            id=getattr(user, "principal", None) or None,
            tenant=getattr(user, "tenant_id", None) or None,
            attributes=getattr(user, "attributes", None) or {},
        )

    def as_http_error(self, error: RejectedError, *also: type[Exception]) -> Exception:
        """Return `error` as one that the host answers with its status code, and with the connection kept open.

        Errors that the host has no handler of its own for are answered and then raised again, upon which its HTTP
        server closes the connection under the caller's next request. Of the errors that have one, `ConflictError` is
        the one whose status code and message can be set. Routes with an error format of their own answer 500 to all
        but an `HTTPException`. OGX's Responses make any error but an `InvalidParameterError` a part of the answer: a
        failed response, or a file search that finds nothing. Other routes answer 400 to one, whatever its status.
        llama-stack's Responses hide the message of an error that has no `body` in the form of the OpenAI API.

        Args:
            error: of the policy.
            also: further errors of the host that it must be.

        """
        kind: Any = type(error)  # mypy takes no class for hashable
        api = importlib.import_module(f"{self.package}_api")
        if "/responses" in self.hook.path and api.InvalidParameterError not in also:
            also = (*also, api.InvalidParameterError)
        http_error_class = _http_error_class(kind, api.ConflictError, *(cast(Any, one) for one in also))
        # Not initialized: what each of its bases asks for differs.
        http_error = http_error_class.__new__(http_error_class, str(error))
        body = {"error": {"code": "invalid_prompt", "message": str(error)}}
        vars(http_error).update(detail=str(error), headers=None, body=body)
        return http_error


@cache
def _http_error_class(error: type[Exception], *handled: type[Exception]) -> type[Exception]:
    http_exception = importlib.import_module("fastapi").HTTPException
    members = {
        "__doc__": error.__doc__,
        "__str__": Exception.__str__,
        "__module__": __name__,
        # The host logs the traceback of an error that it answers. This one's is always the same forty lines, as often
        # as callers like; the line with the message stays.
        "__traceback__": property(lambda _: None, vars(BaseException)["__traceback__"].__set__),
    }
    return type(error.__name__, (error, *handled, http_exception), members)


def current_host() -> Host:
    """Return the host that loaded the add-on.

    Raises:
        UnsupportedHostError: there is none.

    """
    for package in PROVIDER_DATA_HEADERS:
        if f"{package}.core.distribution" in sys.modules:
            return _host(package)
    raise UnsupportedHostError(
        "extra_headers.forwarding was loaded outside a server; it is meant for `module: extra_headers.forwarding` in "
        "the run config of OGX or llama-stack"
    )


@cache
def _host(package: str) -> Host:
    """Return the host of a package. Made once: a server with many providers asks for it with each of them."""
    warn_of_openai(package, version("openai"))
    return Host(package)


@cache
def warn_of_openai(package: str, installed: str) -> None:
    """Log a warning, once, if llama-stack runs with a version of openai whose clients it cannot build."""
    if package == "llama_stack" and int(installed.partition(".")[0]) > 2:
        _log.warning(
            "extra_headers: openai %s is installed, and llama-stack needs an earlier major version; "
            "install 'openai<3' and restart",
            installed,
        )
