"""Uses of the API for plain clients, for the type checker only: nothing here runs."""

from typing import assert_type

import httpx
import httpx2
from openai import AsyncAzureOpenAI, AsyncOpenAI, OpenAI
from starlette.applications import Starlette
from starlette.middleware import Middleware

from extra_headers.forwarding import ExtraHeaders, Policy, ProviderDataMiddleware
from extra_headers.forwarding.clients.caller_request import CallerHeaders

guard = ExtraHeaders("vllm", policy=Policy(allow=("x-maas-*",)))
ExtraHeaders("vllm", policy={"allow": ["x-maas-*"]})
ExtraHeaders("vllm", policy=None)
ExtraHeaders("vllm", policy="x-maas-*")  # type: ignore[arg-type]

# A client stays what it is, subclasses included.
assert_type(guard.with_headers(OpenAI(), {"X-A": "1"}), OpenAI)
assert_type(guard.with_headers(AsyncOpenAI(), None), AsyncOpenAI)
assert_type(guard.with_headers(AsyncAzureOpenAI(), {}), AsyncAzureOpenAI)
assert_type(guard.with_headers(httpx.Client(), {"X-A": 1}), httpx.Client)
assert_type(guard.with_headers(httpx.AsyncClient(), httpx.Headers()), httpx.AsyncClient)
assert_type(guard.with_headers(httpx2.Client(), guard.caller_headers()), httpx2.Client)
assert_type(guard.with_headers(httpx2.AsyncClient(), {}), httpx2.AsyncClient)
assert_type(guard.caller_headers(), CallerHeaders | None)
guard.with_headers("client", {})  # type: ignore[type-var]
guard.with_headers(OpenAI())  # type: ignore[call-arg]
guard.with_headers(OpenAI(), "X-A: 1")  # type: ignore[arg-type]

# It is an ASGI application, and middleware to a framework.
ProviderDataMiddleware(Starlette(), header="X-LlamaStack-Provider-Data", max_bytes=4096)
Starlette(middleware=[Middleware(ProviderDataMiddleware, max_bytes=4096)])
