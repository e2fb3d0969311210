"""`extra-headers explain` prints the decision on each header and the rule behind it, and never a value."""

import json
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.client_headers import client_header_names
from extra_headers.forwarding.policy.decision import EXPLANATIONS, Reason
from tests.cli.conftest import Invoke, Write, entry, provider

_CANARY = "sk-canary"


@cache
def _client_names() -> frozenset[str]:
    return frozenset(client_header_names(AsyncOpenAI(api_key="made-up")))


_POLICY = "server: {auth: {provider_config: {}}}\n" + provider(
    "allow: ['x-*', via]\nblock:\n- x-internal-*\nunblock: [via]\nlimits: {max_value_bytes: 20}\n"
    "set: {X-Caller: '${user.id}'}"
).replace("base_url: ", f"network: {{headers: {{X-Team: {_CANARY}}}}}\n      base_url: ")

# A header, and what is decided: decision, reason, rule, a part of where that comes from.
DECISIONS: dict[str, tuple[str, tuple[str, str, str | None, str]]] = {
    "allowed": ("X-Tenant: a", ("forwarded", "allowed", "x-*", "allow[0], line 11")),
    "lifted": ("Via: a", ("forwarded", "allowed", "via", "allow[1], line 11")),
    "core": ("Authorization: a", ("blocked", "credential", "authorization", "core blocklist: RFC 9110 section 11.6.2")),
    "core prefix": ("X-Amz-Date: a", ("blocked", "credential", "x-amz-*", "core blocklist: AWS Signature")),
    "operator": ("X_Internal_a: a", ("blocked", "operator", "x-internal-*", "block[0], line 13")),
    "the operator's own": ("x-team: a", ("blocked", "override", "x-team", "sent by network.headers")),
    "the server's": ("x.caller: a", ("blocked", "override", "x-caller", "sent by the server (`set`)")),
    "not allowed": ("Foo: a", ("blocked", "not_allowed", None, "allow list does not name it")),
    "a bad value": (f"X-A: {_CANARY}\u00e9", ("malformed", "value", None, "printable ASCII")),
    "a long value": (f"X-A: {_CANARY}{'a' * 20}", ("malformed", "too_large", None, "max_value_bytes")),
}


@pytest.mark.parametrize(("header", "expected"), DECISIONS.values(), ids=DECISIONS)
def test_decisions(invoke: Invoke, write: Write, header: str, expected: tuple[str, str, str | None, str]) -> None:
    """Each check names the entry that decides and its place."""
    done = invoke("explain", write(_POLICY), "--user", "ada", "-H", header, "--format", "json")

    (found,) = json.loads(done.out)["headers"]
    assert found["name"] == header.partition(":")[0]
    assert (found["decision"], found["reason"], found["rule"]) == expected[:3]
    assert expected[3] in found["source"]
    assert done.exit_code == int(expected[0] != "forwarded")
    assert _CANARY not in done.out + done.err


def test_the_text(invoke: Invoke, write: Write) -> None:
    """Each header and what decided come first, then the request, then the headers that it has anyway."""
    headers = ("-H", "X-A: 1", "-H", "Cookie: a=b", "-H", "a b: c")

    done = invoke("explain", write(provider("on_malformed: drop\nallow: ['x-*']")), *headers)

    lines = done.out.splitlines()
    assert (done.exit_code, done.err) == (1, "")
    assert lines[:8] == [
        "X-A: forwarded (allowed)",
        "  x-*  allow[0], line 10",
        "Cookie: blocked (credential)",
        "  cookie  core blocklist: RFC 6265 section 5.4",
        "(a name of 3 characters): malformed (name)",
        f"  {EXPLANATIONS[Reason.NAME]}",
        "",
        "The request goes to provider vllm with 1 of 3 extra headers.",
    ]
    assert lines[8].startswith("Headers already on the outbound request: the openai ")


def test_forty_columns(invoke: Invoke, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words stay whole, and no line is wider than the terminal."""
    arguments = ("explain", write(provider("set: {x-caller: '${user.id}'}")), "-H", "X-Amz-Date: 1", "-H", "Via: a")
    wide = invoke(*arguments)
    monkeypatch.setenv("COLUMNS", "40")
    narrow = invoke(*arguments)
    assert max(map(len, narrow.out.splitlines())) <= 40 < max(map(len, wide.out.splitlines()))
    assert narrow.out.split() == wide.out.split()


IDENTITY: dict[str, tuple[tuple[str, ...], int, list[tuple[str, str, str | None]], int | None]] = {
    "nobody": ((), 1, [("x-user", "rejected", "absent"), ("x-team", "rejected", "absent")], 403),
    "a user": (
        ("--user", "ada-canary", "--attribute", "teams=ops", "--attribute", "teams=canary"),
        0,
        [("x-user", "sent", None), ("x-team", "sent", None)],
        None,
    ),
    "a tenant alone": (
        ("--user", "canary\u00e9", "--tenant", "canary"),
        1,
        [("x-user", "rejected", "unusable"), ("x-team", "rejected", "absent")],
        403,
    ),
}


@pytest.mark.parametrize(("user", "exit_code", "expected", "status"), IDENTITY.values(), ids=IDENTITY)
def test_identity_headers(  # noqa: PLR0913, PLR0917 - a table
    invoke: Invoke,
    write: Write,
    user: tuple[str, ...],
    exit_code: int,
    expected: list[tuple[str, str, str | None]],
    status: int | None,
) -> None:
    """The output says which identity headers a user has and what happens to the request, without a value."""
    setting = provider("set: {x-user: '${user.id}', x-team: '${user.attributes.teams[1]}'}")
    path = write("server: {auth: {provider_config: {}}}\n" + setting)

    done = invoke("explain", path, *user, "--format", "json")
    text = invoke("explain", path, *user)

    explained = json.loads(done.out)
    found = [(one["name"], one["result"], one["missing"]) for one in explained["identity_headers"]]
    missing = [(name, "rejected", why) for name, _, why in expected if why is not None]
    assert found == (missing or expected)
    assert (explained["status"], done.exit_code, text.exit_code) == (status, exit_code, exit_code)
    for name, result, why in found:
        assert f"{name}: {result} (set, {why})" in text.out or f"{name}: {result} (set)" in text.out
    assert "canary" not in done.out + text.out


def test_identity_headers_without_authentication(invoke: Invoke, write: Write) -> None:
    """Without `server.auth` the server knows no user, whatever the options say."""
    path = write(provider("set: {x-user: '${user.id}'}"))
    assert "error: line 9: `set` needs an authenticated user" in invoke("explain", path, "--user", "ada").out
    (finding,) = json.loads(invoke("explain", path, "--format", "json").out)["findings"]
    assert (finding["level"], finding["line"]) == ("error", 9)
    assert "needs an authenticated user" not in invoke("explain", write(provider("{}"))).out


@pytest.mark.parametrize(
    ("setting", "header", "status", "sentence"),
    [
        (
            "on_blocked: reject",
            "Cookie: a",
            403,
            "The request is rejected with status 403; nothing is sent to provider",
        ),
        ("{}", "X-A: \u00e9", 400, "The request is rejected with status 400; nothing is sent to provider vllm."),
        ("{}", "Cookie: a", None, "The request goes to provider vllm with 0 of 1 extra headers."),
        ("enabled: false", "X-A: a", None, "Extra headers are off for provider vllm"),
    ],
)
def test_what_becomes_of_the_request(  # noqa: PLR0913, PLR0917 - a table
    invoke: Invoke, write: Write, setting: str, header: str, status: int | None, sentence: str
) -> None:
    """The output says what the policy does with the request."""
    arguments = ("explain", write(provider(setting)), "--provider", "vllm", "-H", header)

    assert sentence in (done := invoke(*arguments)).out
    assert done.exit_code == 1
    assert json.loads(invoke(*arguments, "--format", "json").out)["status"] == status


DATA: dict[str, tuple[str, int, list[tuple[str, str]]]] = {
    "headers": ('{"vllm_extra_headers": {"X-A": "1"}}', 0, [("X-A", "allowed")]),
    "other keys": ('{"vllm_api_token": "sk-canary", "vllm_extra_headers": {"X-A": "1"}}', 0, [("X-A", "allowed")]),
    "none of this provider": ('{"openai_extra_headers": {"Cookie": "sk-canary"}}', 0, []),
    "none": ("{}", 0, []),
    "null": ("null", 0, []),
    "an empty object": ('{"vllm_extra_headers": {}}', 0, []),
    "no JSON": ('{"vllm_extra_headers": {"X-A": "sk-canary"', 1, [("", "envelope")]),
    "a list": ('["sk-canary"]', 1, [("", "envelope")]),
    "headers that are no object": ('{"vllm_extra_headers": ["sk-canary"]}', 1, [("", "envelope")]),
    "the field twice": ('{"vllm_extra_headers": {}, "vllm_extra_headers": {"X-A": "1"}}', 1, [("", "envelope")]),
    "another key twice": ('{"a": 1, "a": 2, "vllm_extra_headers": {"X-A": "1"}}', 0, [("X-A", "allowed")]),
    "a name twice": ('{"vllm_extra_headers": {"X-A": "1", "X-A": "2"}}', 1, [("X-A", "duplicate")] * 2),
    "a number": ('{"vllm_extra_headers": {"X-A": 1}}', 1, [("X-A", "type")]),
    "a name that is none": ('{"vllm_extra_headers": {"sk-canary\\u001b": "1"}}', 1, [("", "name")]),
    "nested too deeply": ("[" * 100_000, 1, [("", "envelope")]),
}


@pytest.mark.parametrize("from_stdin", [False, True], ids=["argument", "stdin"])
@pytest.mark.parametrize(("data", "exit_code", "expected"), DATA.values(), ids=DATA)
def test_provider_data(  # noqa: PLR0913 - a table
    invoke: Invoke,
    write: Write,
    data: str,
    exit_code: int,
    expected: list[tuple[str, str]],
    *,
    from_stdin: bool,
) -> None:
    """Provider data is read as the server reads it."""
    given_data, stdin = ("-", data.encode() + b"\n") if from_stdin else (data, b"")
    arguments = ("explain", write(provider("{}")), "--provider", "vllm", "--data", given_data)

    done = invoke(*arguments, "--format", "json", stdin=stdin)
    text = invoke(*arguments, stdin=stdin)

    headers = json.loads(done.out)["headers"]
    assert [(found["name"] or "", found["reason"]) for found in headers] == expected
    assert done.exit_code == text.exit_code == exit_code
    assert "canary" not in done.out + done.err + text.out + text.err


BAD_INPUT: dict[str, tuple[list[str], str]] = {
    "headers and data": (["-H", "X-A: sk-canary", "--data", '"sk-canary"'], "give either headers"),
    "no colon": (["-H", "sk-canary"], "a header given with -H has no colon; write -H 'Name: value'"),
    "no colon in a request header": (
        ["-R", "sk-canary"],
        "a header given with -R has no colon; write -R 'Name: value'",
    ),
    "no equals sign": (["--attribute", "sk-canary"], "an attribute has no `=`; write --attribute NAME=VALUE"),
    "an unknown option": (["--headr=sk-canary"], "No such option"),
    "no UTF-8": (["--data", "-"], "the provider data on standard input is not UTF-8 text"),
}


@pytest.mark.parametrize(("arguments", "sentence"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_one_sentence(invoke: Invoke, write: Write, arguments: list[str], sentence: str) -> None:
    """The exit code is 2, and no option's value is repeated: its quotes may be missing."""
    done = invoke("explain", write(provider("{}")), "--provider", "vllm", *arguments, stdin=b"sk-canary\xff")

    assert (done.exit_code, done.out) == (2, "")
    assert done.err.startswith(f"extra-headers explain: {sentence}")
    assert "\nTry 'extra-headers explain --help'.\n" in done.err or "--data" in arguments
    assert "canary" not in done.err


def test_too_much_data(invoke: Invoke, write: Write) -> None:
    """Standard input is read up to a limit."""
    done = invoke("explain", write(provider("{}")), "--provider", "v", "--data", "-", stdin=b" " * (1024 * 1024 + 1))
    assert done.exit_code == 2
    done = invoke("explain", write(provider("{}")), "--provider", "vllm", "--data", "-", stdin=b" " * (1024 * 1024 + 1))
    assert (done.exit_code, done.err.partition(": ")[2]) == (
        2,
        "the provider data on standard input is larger than 1 MiB; no header may be\n",
    )


def test_an_unknown_provider(invoke: Invoke, write: Write) -> None:
    """The message lists the known providers."""
    path = write(provider("{}", provider_id="'[b]\u2028'"))
    done = invoke("explain", path, "--provider", "other\x1b", "-H", "X-A: 1")
    assert (done.exit_code, done.err) == (
        2,
        f"extra-headers explain: {path} has no provider 'other\\x1b'; it has [b]\\u2028\n",
    )


PLAIN: dict[str, tuple[tuple[str, ...], list[tuple[str, str]], list[str]]] = {
    "taken up": (("-R", "X-Subscription: canary"), [("x-maas-subscription", "allowed")], []),
    "not listed": (("-R", "X-Other: canary", "-R", "x-other: canary"), [], ["x-other"]),
    "beside the provider data": (
        ("-H", "X-A: canary", "-R", "x-hint: canary"),
        [("X-A", "allowed"), ("x-hint", "allowed")],
        [],
    ),
    "twice": (("-R", "X-Hint: canary", "-R", "x-hint: canary"), [("x-hint", "duplicate")] * 2, []),
    "from both": (
        ("--data", '{"vllm_extra_headers": {"X_Hint": "canary"}}', "-R", "x-hint: canary"),
        [("X_Hint", "duplicate"), ("x-hint", "duplicate")],
        [],
    ),
}


@pytest.mark.parametrize(("options", "expected", "ignored"), PLAIN.values(), ids=PLAIN)
def test_plain_request_headers(
    invoke: Invoke, write: Write, options: tuple[str, ...], expected: list[tuple[str, str]], ignored: list[str]
) -> None:
    """A listed name is decided on under the name to send, together with the provider data; others are ignored."""
    path = write(provider("from_request: {X-Subscription: x-maas-subscription, x-hint: x-hint}"))

    explained = json.loads(invoke("explain", path, *options, "--format", "json").out)
    text = invoke("explain", path, *options).out

    assert [(one["name"], one["reason"]) for one in explained["headers"]] == expected
    assert explained["ignored"] == ignored
    assert text.count("ignored (`from_request` does not list it)") == len(ignored)
    assert "canary" not in text


def test_the_provider_need_not_be_named(invoke: Invoke, write: Write) -> None:
    """The only provider with extra headers is the default; if there are several, the message lists them."""
    others = "  - {provider_id: plain, provider_type: 'remote::openai'}\n"
    assert (
        json.loads(invoke("explain", write(provider("{}") + others), "--format", "json").out)["provider_id"] == "vllm"
    )
    path = write(provider("{}") + entry("second", "remote::openai"))
    done = invoke("explain", path)
    assert (done.exit_code, done.out) == (2, "")
    assert f"choose a provider with --provider ID; {path} has vllm, second\n" in done.err


def test_standard_input(invoke: Invoke) -> None:
    """Either the run config or the provider data can come from it."""
    assert invoke("explain", "-", "-H", "X-A: 1", stdin=provider("{}").encode()).exit_code == 0
    done = invoke("explain", "-", "--data", "-", stdin=provider("{}").encode())
    assert (done.exit_code, "only one of RUN_CONFIG and --data" in done.err) == (2, True)


def test_a_provider_that_would_not_do_as_it_says(invoke: Invoke, write: Write) -> None:
    """A policy that the server refuses or ignores decides nothing, so none is shown."""
    path = write(provider("block: [cookie, host]"))
    done = invoke("explain", path, "--provider", "vllm", "-H", "X-A: 1")
    assert (done.exit_code, done.out) == (2, "")
    assert done.err.startswith(
        f"extra-headers explain: {path}:9: vllm: block[0]: 'cookie' has no effect: the core blocklist has it"
    )
    assert done.err.endswith("; `extra-headers check` shows 1 more\n")


def test_an_entry_of_the_environment_is_shown_as_written(
    invoke: Invoke, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value may be a secret."""
    monkeypatch.setenv("ALLOWED", "x-canary-*")
    path = write(provider("allow: ['${env.ALLOWED}']"))
    done = invoke("explain", path, "--provider", "vllm", "-H", "X-CANARY-1: 1", "-H", "b: 1", "--format", "json")
    assert [found["rule"] for found in json.loads(done.out)["headers"]] == ["${env.ALLOWED}", None]


@pytest.mark.parametrize(
    ("kind", "name", "by"),
    [
        ("remote::openai", "x-stainless-lang", "the openai "),
        ("remote::vertexai", "x-goog-api-client", "Google's SDK"),
        ("remote::oci", "digest", "the request signer"),
    ],
)
def test_the_headers_of_the_outbound_request_depend_on_the_provider(
    invoke: Invoke, write: Write, kind: str, name: str, by: str
) -> None:
    """A caller who sends such a name tries an override, and the output says whose header it is."""
    done = invoke("explain", write(provider("{}", kind=kind)), "--provider", "vllm", "-H", "X-A: 1", "--format", "json")

    outbound = {party["by"]: party["names"] for party in json.loads(done.out)["outbound"]}
    assert [party for party, names in outbound.items() if name in names and party.startswith(by)]


def test_the_sdks_names_are_those_of_a_real_client(invoke: Invoke, write: Write) -> None:
    """The names are those that the running server counts."""
    done = invoke("explain", write(provider("{}")), "--provider", "vllm", "-H", "X-A: 1", "--format", "json")

    names = set(json.loads(done.out)["outbound"][0]["names"])
    assert names == {name.lower() for name in _client_names()}


@given(st.dictionaries(st.text(min_size=1, max_size=12), st.text(max_size=8), max_size=4))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_decides_as_the_server_does(invoke: Invoke, write: Write, headers: dict[str, str]) -> None:
    """Any headers get the same decisions as in the server, and no value is printed."""
    tagged = {name: f"{value}canary" for name, value in headers.items()}
    data = json.dumps({"vllm_extra_headers": tagged}).encode()
    done = invoke("explain", write(provider("{}")), "--provider", "vllm", "--data", "-", "--format", "json", stdin=data)

    decided = evaluate(tagged, Policy(), _client_names()).decisions if tagged else ()
    found = [(header["name"], header["decision"], header["reason"]) for header in json.loads(done.out)["headers"]]
    assert found == [(d.name, d.kind.value, d.reason.value) for d in decided]
    assert "canary" not in done.out
