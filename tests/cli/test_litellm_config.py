"""`check`, `explain` and `schema` on the config.yaml of a LiteLLM proxy, which need no LiteLLM."""

import json
import os

import pytest
import yaml
from jsonschema import Draft202012Validator

from extra_headers.forwarding.cli import json_schema
from extra_headers.forwarding.litellm import settings
from extra_headers.forwarding.litellm.config_file import resolved
from extra_headers.forwarding.policy.model import PolicyError
from tests.cli.conftest import Invoke, Write

_CANARY = "x canary"
_CALLBACK = "extra_headers.forwarding.litellm.callback"
_LOADED = f"litellm_settings: {{callbacks: [{_CALLBACK}]}}\ngeneral_settings: {{master_key: os.environ/KEY}}\n"
_ALLOWED = "callback_settings: {extra_headers: {allow: [x-a]}}\n"


def _model(policy: str | None = None, name: str = "gpt", params: str = "model: openai/gpt-4o") -> str:
    """Return the two or three lines of an entry of `model_list`."""
    info = "" if policy is None else f"    model_info: {{extra_headers: {policy}}}\n"
    return f"  - model_name: {name}\n    litellm_params: {{{params}}}\n{info}"


def _config(*models: str, more: str = _LOADED + _ALLOWED) -> str:
    return "model_list:\n" + "".join(models) + more


# A configuration, and what is found: level, line, provider and a part of the message.
FINDINGS: dict[str, tuple[str, list[tuple[str, int, str | None, str]]]] = {
    "nothing": (_config(_model(), _model("false", "off"), _model("{allow: []}", "none")), []),
    "all defaults": (_config(_model(), more=_LOADED), [("note", 1, "callback_settings", "no `allow`")]),
    "a dead entry": (
        _config(_model("{allow: ['a b']}")),
        [("error", 4, "gpt", "allow[0]: 'a b' can never match")],
    ),
    "an unused block entry": (
        _config(_model("{allow: [x-a], block: [x-b]}")),
        [("warning", 4, "gpt", "block[0]: 'x-b' changes nothing")],
    ),
    "a bad default": (
        _config(_model(), more=_LOADED + "callback_settings:\n  extra_headers:\n    alow: [x-a]\n"),
        [("error", 8, "callback_settings", "alow: unknown setting; did you mean `allow`?")],
    ),
    "null": (_config(_model("null")), [("error", 4, "gpt", "`extra_headers` is null; write true or a mapping")]),
    "OGX's settings": (
        _config(_model("{allow: [x-a], field: vllm_extra_headers, from_request: [x-a]}")),
        [("error", 4, "gpt", "field: LiteLLM has no provider data"), ("error", 4, "gpt", "from_request: no plain")],
    ),
    "a misspelt policy of a model": (
        _config(_model() + "    model_info: {extra_header: true}\n"),
        [("error", 4, None, "model_list[0].model_info.extra_header is not read; did you mean `extra_headers`?")],
    ),
    "a misspelt section": (
        _config(_model(), more=_LOADED + "callbacks_settings: {extra_headers: true}\n"),
        [
            ("note", 1, "callback_settings", "no `allow`"),
            ("error", 6, None, "callbacks_settings is not read; did you mean `callback_settings`?"),
        ],
    ),
    "a policy among LiteLLM's settings": (
        _config(_model(), more=_ALLOWED + f"litellm_settings:\n  callbacks: [{_CALLBACK}]\n  extra_headers: true\n"),
        [("error", 7, None, "litellm_settings.extra_headers is not read; did you mean `callback_settings.extra_h")],
    ),
    "a policy beside model_info": (
        _config(_model() + "    extra_headers: true\n"),
        [("error", 4, None, "model_list[0].extra_headers is not read; did you mean `model_info.extra_headers`?")],
    ),
    "a policy among the headers of a call": (
        _config(_model(params="model: openai/gpt-4o, extra_headers: {allow: [x-a]}")),
        [("error", 3, None, "are headers that LiteLLM sends; move the policy to `model_info.extra_headers`")],
    ),
    "headers of a call": (_config(_model(params="model: openai/gpt-4o, extra_headers: {X-Operator: a}")), []),
    "a header that two settings send": (
        _config(_model("{allow: [], set: {x-op: a}}", params="model: openai/a, extra_headers: {X-Op: a}")),
        [("error", 4, "gpt", "set.x-op: 'extra_headers.X-Op' of the provider names the same header")],
    ),
    "a default header that a model sends": (
        _config(
            _model(params="model: openai/a, headers: {X-Op: a}"),
            more=_LOADED + "callback_settings: {extra_headers: {allow: [], set: {x-op: a}}}\n",
        ),
        [("error", 2, "gpt", "set.x-op: 'headers.X-Op' of the provider names the same header")],
    ),
    "no callback": (_config(_model(), more=_ALLOWED), [("error", 1, None, f"add {_CALLBACK} to litellm_settings")]),
    "no callback and no policy": (
        _config(_model(), more="litellm_settings: {callbacks: [otel]}\n"),
        [
            ("note", 1, "callback_settings", "no `allow`"),
            ("note", 4, None, "the add-on is not loaded, so callers' headers are not checked"),
        ],
    ),
    "a misspelt callback": (
        _config(_model(), more=_ALLOWED + "litellm_settings: {callbacks: [extra-headers.forwarding.callback]}\n"),
        [("error", 5, None, f"LiteLLM cannot load this callback; write {_CALLBACK}")],
    ),
    "a callback alone": (_config(_model(), more=_ALLOWED + f"litellm_settings: {{callbacks: {_CALLBACK}}}\n"), []),
    "identity headers without a user": (
        _config(
            _model("{allow: [], set: {x-user: '${user.id}'}}"),
            more=_ALLOWED + f"litellm_settings: {{callbacks: [{_CALLBACK}]}}\n",
        ),
        [("error", 4, "gpt", "without `general_settings.master_key` there is none: every request is answered with")],
    ),
    "identity headers": (_config(_model("{allow: [], set: {x-user: '${user.id}'}}")), []),
    "settings to leave off": (
        _config(
            _model(),
            more=_LOADED.replace("{master", "{forward_client_headers_to_llm_api: true, master")
            + _ALLOWED
            + "mcp_servers:\n  weather: {url: 'http://127.0.0.1', extra_headers: [x-a]}\n",
        ),
        [
            ("warning", 5, None, "general_settings.forward_client_headers_to_llm_api takes up every `x-` header"),
            ("warning", 7, None, "mcp_servers"),
            ("warning", 8, None, "mcp_servers.weather.extra_headers sends these headers of the caller"),
        ],
    ),
    "pass-through endpoints": (
        _config(
            _model(),
            more=f"{_ALLOWED}litellm_settings: {{callbacks: [{_CALLBACK}], cache: os.environ/FLAG}}\n"
            "general_settings:\n  pass_through_endpoints:\n  - path: /a\n  - path: /b\n    forward_headers: true\n",
        ),
        [
            ("warning", 5, None, "litellm_settings.cache shares answers"),
            ("warning", 10, None, "general_settings.pass_through_endpoints[1].forward_headers takes up every header"),
        ],
    ),
    "another file": (
        _config(_model(), more=_LOADED + _ALLOWED + "include: [models.yaml]\n"),
        [("note", 7, None, "`include` is not followed")],
    ),
    "equal keys": (
        _config(_model(), more=_LOADED + _ALLOWED + _ALLOWED),
        [("warning", 7, None, "duplicate key (first on line 6); LiteLLM uses only the last")],
    ),
    "a variable that is not set": (
        _config(_model("{allow: [x-a], on_blocked: os.environ/NOT_SET}")),
        [("error", 4, "gpt", "the environment variable NOT_SET is not set, so LiteLLM reads null")],
    ),
    "a variable with a bad value": (
        _config(_model("{allow: [x-a], on_blocked: os.environ/CANARY}")),
        [("error", 4, "gpt", "on_blocked: unusable with the value of the environment variable in os.environ/CANARY")],
    ),
    "a variable in a list": (
        _config(_model("{allow: [os.environ/CANARY]}")),
        [("error", 4, "gpt", "allow[0]: 'os.environ/CANARY' can never match")],
    ),
    "a switch": (_config(_model("{allow: [x-a], enabled: os.environ/FLAG}", "os.environ/CANARY")), []),
    "no model list": ("litellm_settings: {drop_params: true}\n", [("note", 1, None, "the add-on is not loaded")]),
}

_STOPS = {
    "a dead entry",
    "a bad default",
    "null",
    "OGX's settings",
    "a misspelt policy of a model",
    "a misspelt section",
    "a policy among LiteLLM's settings",
    "a policy beside model_info",
    "a policy among the headers of a call",
    "a header that two settings send",
    "a default header that a model sends",
    "a variable that is not set",
    "a variable with a bad value",
    "a variable in a list",
}
"""The configurations with which no proxy starts. That nobody is a user, and what is not loaded, a start cannot see."""


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that the configurations name."""
    monkeypatch.delenv("LITELLM_MASTER_KEY", raising=False)
    for name, value in {"KEY": "sk-1", "CANARY": _CANARY, "FLAG": "True"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("config", "expected"), FINDINGS.values(), ids=FINDINGS)
def test_findings(invoke: Invoke, write: Write, config: str, expected: list[tuple[str, int, str | None, str]]) -> None:
    """Each has its line, and nothing from the environment shows."""
    done = invoke("check", "--format", "json", write(config, "config.yaml"))
    (report,) = json.loads(done.out)["files"]
    found = [(each["level"], each["line"], each["provider_id"]) for each in report["findings"]]
    assert found == [each[:3] for each in expected]
    for finding, (*_, text) in zip(report["findings"], expected, strict=True):
        assert text in finding["message"]
    assert done.exit_code == int(any(level != "note" for level, *_ in expected))
    assert _CANARY not in done.out + done.err + invoke("check", write(config)).out


@pytest.mark.parametrize("name", FINDINGS)
def test_the_proxy_stops_where_check_finds_an_error_in_a_policy(name: str) -> None:
    """The start of a proxy and `check` agree about policies."""
    content = resolved(yaml.safe_load(FINDINGS[name][0]), os.environ)
    if name in _STOPS:
        with pytest.raises(PolicyError):
            settings.checked(content)
    else:
        settings.checked(content)


def test_the_text(invoke: Invoke, write: Write) -> None:
    """The default policy is printed once, with the models that it applies to, and each model's own."""
    path = write(_config(_model(), _model("{allow: [x-b]}"), _model(name="claude", params="model: anthropic/a")))
    lines = invoke("check", path).out.splitlines()
    headings = [line for line in lines if "policy " in line]
    assert headings[0].startswith("callback_settings  default of gpt, claude  reads extra_headers  policy ")
    assert headings[1].startswith("gpt#2  litellm::openai  reads extra_headers  policy ")
    assert len(headings) == 2
    assert lines[-1].endswith("3 providers with extra headers, 0 without; no problems found")


_EXPLAINED = _config(
    _model(params="model: openai/a, extra_headers: {X-Operator: a}"),
    _model("{allow: ['x-*'], set: {x-user: '${user.id}'}}", "claude", "model: anthropic/a"),
)


def test_explain(invoke: Invoke, write: Write) -> None:
    """A decision is that of the proxy: with the operator's headers, the model's policy, and LiteLLM's user."""
    path = write(_EXPLAINED)
    headers = ("-H", "x_operator: 1", "-H", "X-A: 1", "-H", "User-Agent: a")
    found = json.loads(invoke("explain", path, "--provider", "gpt", *headers, "--format", "json").out)
    assert [(each["name"], each["reason"]) for each in found["headers"]] == [
        ("x_operator", "override"),
        ("X-A", "allowed"),
        ("User-Agent", "sdk"),
    ]
    assert found["headers"][0]["source"] == "sent by litellm_params.extra_headers"
    data = json.dumps({"model": "claude", "extra_headers": {"X-User": "eve", "X-B": "1"}})
    done = invoke("explain", path, "--provider", "claude", "--user", "ada", "--data", data)
    assert "X-User: blocked (override)" in done.out
    assert "x-user: sent (set)" in done.out
    assert "The request goes to provider claude with 1 of 2 extra headers." in done.out
    nothing = invoke("explain", path, "--provider", "claude", "--user", "ada", "--data", "{}")
    assert "No extra headers: the body has no extra_headers." in nothing.out
    assert "has no provider 'other'; it has gpt, claude" in invoke("explain", path, "--provider", "other").err


def test_explain_shows_each_deployment_that_sends_other_headers(invoke: Invoke, write: Write) -> None:
    """A header may pass on one deployment of a name and be the operator's own on another."""
    own = "model: openai/a, extra_headers: {X-Operator: a}"
    path = write(_config(_model(params=own), _model(params=own), _model(), _model("{allow: []}")))
    command = ("explain", path, "--provider", "gpt", "-H", "X-A: 1")
    done = invoke(*command, "-H", "X-Operator: 1")
    assert done.exit_code == 1
    assert [line for line in done.out.splitlines() if line.startswith(("gpt", "X-Operator"))] == [
        "gpt, line 2 (litellm::openai)",
        "X-Operator: blocked (override)",
        "gpt, line 6 (litellm::openai)",
        "X-Operator: blocked (not_allowed)",
    ]
    objects = invoke(*command, "--format", "json").out.replace("}\n{", "}\0{").split("\0")
    assert [(each["line"], each["outcome"]) for each in map(json.loads, objects)] == [(2, "clean"), (6, "clean")]
    assert invoke(*command).exit_code == 0
    assert "gpt, line" not in invoke("explain", path, "--provider", "gpt#2", "-H", "X-A: 1").out


def test_explain_takes_no_plain_headers(invoke: Invoke, write: Write) -> None:
    """No policy of LiteLLM lists any."""
    done = invoke("explain", write(_EXPLAINED), "--provider", "gpt", "-R", "X-A: 1")
    assert done.exit_code == 2
    assert "no policy of LiteLLM takes up plain headers; give the header with -H" in done.err


def test_the_schema(invoke: Invoke) -> None:
    """It takes the configurations that are usable, and marks a policy that is null, misplaced or OGX's."""
    schema = json.loads(invoke("schema", "--litellm").out)
    assert schema == json_schema.litellm_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for name in ("nothing", "all defaults", "identity headers", "settings to leave off", "a switch"):
        validator.validate(yaml.safe_load(FINDINGS[name][0]))
    for name in ("a bad default", "null", "OGX's settings", "a policy beside model_info"):
        assert not validator.is_valid(yaml.safe_load(FINDINGS[name][0])), name
