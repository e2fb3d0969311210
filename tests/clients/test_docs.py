"""The page about plain clients: its code runs, in order, as a reader would paste it."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from extra_headers import forwarding
from extra_headers.forwarding.testing.recording_provider import RecordingProvider

_PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)


async def _run(block: str, namespace: dict[str, Any]) -> None:
    code = compile(block, "docs/clients.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, namespace)  # noqa: S307 - our own documentation
    if inspect.iscoroutine(result):
        await result


async def test_the_code_runs(upstream: RecordingProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """Each block does what the text around it says, judged by what the provider receives."""
    namespace: dict[str, Any] = {}
    for block in _BLOCKS:
        await _run(block.replace("http://localhost:8000/v1", upstream.base_url), namespace)

    first, second = upstream.take()
    assert first.values("x-maas-subscription") == second.values("x-maas-subscription") == ["free-tier"]
    assert first.values("authorization") == ["Bearer the-service-key"]
    assert second.values("x-tenant") == ["from-the-login"]
    assert second.values("authorization") == []
    printed = capsys.readouterr().out
    assert printed.startswith("400 extra headers for provider 'vllm' rejected")
    assert "tier" not in printed

    transport = httpx.ASGITransport(namespace["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as caller:
        data = re.findall(r"X-OGX-Provider-Data: (\{.*?\}\})", _PAGE)
        response = await caller.get("/embed", headers={"X-OGX-Provider-Data": data[0]})
        rejected = await caller.get("/embed", headers={"X-OGX-Provider-Data": "{"})
    assert (response.status_code, response.json()) == (200, "test-model")
    assert upstream.take()[0].values("x-maas-subscription") == ["free-tier"]
    assert rejected.status_code == 400
    assert set(rejected.json()["error"]) == {"message", "type", "param", "code"}

    transport = httpx.ASGITransport(namespace["labelled_app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as caller:
        name, value = re.findall(r"A caller sends `(X-Subscription): (.*?)`", _PAGE)[0]
        assert (await caller.get("/embed", headers={name: value})).status_code == 200
    assert upstream.take()[0].values("x-maas-subscription") == ["free-tier"]
    namespace["client"].close()


def test_every_name_is_there() -> None:
    """What the page's table lists exists, and the public names that are not of the core are all listed."""
    for name in re.findall(r"^\| `\.(\w+)", _PAGE, re.MULTILINE):
        assert hasattr(forwarding.ExtraHeaders, name)
    assert {"ExtraHeaders", "ProviderDataMiddleware"} == set(re.findall(r"^\| `(\w+)\(", _PAGE, re.MULTILINE))
