"""`extra-headers check`: what it finds, on which line, and how it reports it."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from extra_headers.forwarding.run_config import policies
from tests.cli.conftest import Invoke, Write, entry, provider


def _config(*entries: str, api: str = "inference") -> str:
    return f"providers:\n  {api}:\n" + "".join(entries)


def _without_module(provider_entry: str) -> str:
    return provider_entry.replace("    module: extra_headers.forwarding\n", "")


# A run config, and what is found: level, line, provider and a part of the message.
FINDINGS: dict[str, tuple[str, list[tuple[str, int, str | None, str]]]] = {
    "nothing": (_config(entry("vllm"), entry("openai", "remote::openai", "false")), []),
    "no setting and no module": (_config("  - {provider_id: a, provider_type: 'remote::vllm'}\n"), []),
    "a dead entry": (
        provider("allow:\n- x-ok\n- 'a b'"),
        [("error", 11, "vllm", "allow[1]: 'a b' can never match")],
    ),
    "a shadowed entry": (
        provider("block: ['x-a-*',\n  x-b,\n  x-a-1]"),
        [("error", 11, "vllm", "block[2]: 'x-a-1' is shadowed by 'x-a-*' at [0]")],
    ),
    "an overlap with the core": (
        provider("on_blocked: drop\nblock: [cookie]"),
        [("error", 10, "vllm", "block[0]: 'cookie' has no effect: the core blocklist has it")],
    ),
    "several, each with its line": (
        provider("allow: [x-a, X_A]\nlimits:\n  max_headers: 0\n  nope: 1\nfoo: 1"),
        [
            ("error", 11, "vllm", "limits.max_headers: "),
            ("error", 12, "vllm", "limits.nope: unknown setting"),
            ("error", 13, "vllm", "foo: unknown setting"),
        ],
    ),
    "entries that make no sense together": (
        provider("allow: [x-a,\n  X_A,\n  cookie]"),
        [
            ("error", 10, "vllm", "allow[1]: 'x-a' is shadowed"),
            ("error", 11, "vllm", "allow[2]: 'cookie' can never match"),
        ],
    ),
    "no setting at all": (provider("[x-a]"), [("error", 8, "vllm", "must be true, false or a mapping")]),
    "a block entry that no allow entry reaches": (
        provider("allow: ['x-maas-*']\nblock:\n- x-maas-internal-*\n- x-foo"),
        [("warning", 12, "vllm", "block[1]: 'x-foo' changes nothing about what passes")],
    ),
    "a block list beside an empty allow list": (
        provider("allow: []\nblock: ['x-*']"),
        [("warning", 10, "vllm", "block[0]: 'x-*' changes nothing")],
    ),
    "a block entry that meets a narrower allow entry": (
        provider("allow: [x-a-b, x-c]\nblock: ['x-a-b*']"),
        [
            ("error", 9, "vllm", "allow[0]: 'x-a-b' can never match"),
        ],
    ),
    "the flag without module": (
        _config(_without_module(entry("vllm"))),
        [
            (
                "error",
                6,
                "vllm",
                "OGX ignores `extra_headers` without the add-on; add `module: extra_headers.forwarding`",
            )
        ],
    ),
    "the flag with another module": (
        _config(entry("vllm").replace("extra_headers.forwarding", "ramalama_stack")),
        [("error", 7, "vllm", "`module: ramalama_stack` ignores `extra_headers`")],
    ),
    "the flag without module, beside one of the type that has it": (
        _config(entry("a"), _without_module(entry("b", setting="{field: b}"))),
        [("warning", 11, "b", "works only because provider 'a' of the same type loads the add-on")],
    ),
    "the flag without module, beside one of the type with another": (
        _config(entry("a", setting="false").replace("extra_headers.forwarding", "x"), _without_module(entry("b"))),
        [("error", 11, "b", "provider 'a' of the same type loads another module")],
    ),
    "the distribution's name as module": (
        _config(entry("vllm").replace("extra_headers.forwarding", "extra-headers-forwarding")),
        [("error", 5, "vllm", "OGX cannot import this module; write `module: extra_headers.forwarding`")],
    ),
    "a module with a version": (
        _config(entry("vllm").replace("extra_headers.forwarding", "extra_headers.forwarding==0.1.0")),
        [],
    ),
    "module without the flag": (
        _config("  - {provider_id: a, provider_type: 'remote::vllm', module: extra_headers.forwarding}\n"),
        [("note", 3, "a", "loads the add-on, which does nothing without `extra_headers`")],
    ),
    "the flag beside config": (
        _config(entry("vllm").replace("config:\n      ", "")),
        [("error", 6, "vllm", "OGX ignores `extra_headers` outside of `config`")],
    ),
    "a type without outbound calls": (
        _config(entry("st", "inline::sentence-transformers")),
        [("error", 7, "st", "of type inline::sentence-transformers makes no outbound requests")],
    ),
    "an unknown type": (
        _config(entry("x", "remote::vlllm")),
        [("warning", 4, "x", "OGX 1.5 has no provider type remote::vlllm")],
    ),
    "another API": (
        _config(entry("guard", "remote::passthrough"), api="safety"),
        [("error", 7, "guard", "only inference and MCP providers have extra headers, not safety")],
    ),
    "the add-on on another API": (
        _config(entry("guard", "remote::passthrough", "false"), api="safety"),
        [("error", 5, "guard", "only inference and MCP providers have extra headers, not safety")],
    ),
    "a field that two share": (
        _config(entry("a"), entry("b")),
        [
            ("warning", 7, "a", "reads vllm_extra_headers like 'b'"),
            ("warning", 12, "b", "reads vllm_extra_headers like 'a'"),
        ],
    ),
    "a field that two share by the word of one": (
        _config(entry("a"), entry("b", "remote::openai", "{field: vllm_extra_headers}")),
        [("warning", 7, "a", "like 'b'"), ("warning", 12, "b", "like 'a'")],
    ),
    "a field that two share on purpose": (
        _config(entry("a", setting="{field: both}"), entry("b", setting="{field: both}")),
        [],
    ),
    "two of a type with fields of their own": (_config(entry("a"), entry("b", setting="{field: b}")), []),
    "a field of one that is off": (_config(entry("a"), entry("b", setting="{enabled: false}")), []),
    "equal keys": (
        "version: 2\nversion: 3\n" + provider("allow: []\nallow: [x-a]"),
        [
            ("warning", 2, None, "duplicate key (first on line 1); OGX uses only the last"),
            ("warning", 12, None, "duplicate key (first on line 11)"),
        ],
    ),
    "anchors and merges": (
        "p: &p\n  block: [x-a]\n" + provider("<<: *p\nblock: [x-b]"),
        [],
    ),
    "an anchor with a mistake": (
        "p: &p\n  block: [cookie]\n" + provider("*p"),
        [("error", 2, "vllm", "block[0]: 'cookie'")],
    ),
    "a misspelt setting": (
        provider("{alow: [x-a]}"),
        [("error", 9, "vllm", "alow: unknown setting; did you mean `allow`? known are allow, ")],
    ),
    "a misspelt flag": (
        _config(entry("vllm").replace("extra_headers: true", "extra_header: {allow: [x-a]}")),
        [
            ("note", 5, "vllm", "loads the add-on, which does nothing without `extra_headers`"),
            ("error", 7, "vllm", "OGX ignores `extra_header`; did you mean `extra_headers`?"),
        ],
    ),
    "a misspelt flag outside of config": (
        _config(entry("vllm") + "    Extra-Headers: true\n"),
        [("error", 8, "vllm", "OGX ignores `Extra-Headers`; did you mean `extra_headers`?")],
    ),
    "identity headers without authentication": (
        provider("allow: []\nset: {x-user: '${user.id}'}"),
        [("error", 10, "vllm", "without `server.auth` there is none: every request is answered with status 403")],
    ),
    "identity headers without authentication that may be missing": (
        provider("on_missing: omit\nset: {x-user: '${user.id}', x-source: gateway}"),
        [("warning", 10, "vllm", "without `server.auth` there is none: no request has x-user")],
    ),
    "identity headers with authentication": (
        "server: {auth: {provider_config: {type: kubernetes}}}\n" + provider("set: {x-user: '${user.id}'}"),
        [],
    ),
    "identity headers with authentication that is off": (
        "server: {auth: '${env.NOT_SET_HERE:=}'}\n" + provider("set: {x-user: '${user.id}'}"),
        [("error", 10, "vllm", "there is none")],
    ),
    "a fixed header for every request": (provider("set: {x-source: gateway}"), []),
    "an unset variable": (
        provider("on_blocked: ${env.NOT_SET_HERE}"),
        [("error", 9, "vllm", "the environment variable NOT_SET_HERE is not set")],
    ),
    "an unset id": (
        provider("{}", provider_id="${env.NOT_SET_HERE}"),
        [("error", 3, None, "the environment variable NOT_SET_HERE is not set")],
    ),
    "a disabled provider": (provider("[]", provider_id="${env.NOT_SET_HERE:=__disabled__}"), []),
    "a conditional provider": (provider("[]", provider_id="${env.NOT_SET_HERE:+vllm}"), []),
    "a flag by default": (provider("${env.NOT_SET_HERE:=true}"), []),
}


@pytest.mark.parametrize(("content", "expected"), FINDINGS.values(), ids=FINDINGS)
def test_findings(invoke: Invoke, write: Write, content: str, expected: list[tuple[str, int, str | None, str]]) -> None:
    """Each finding has a level, a line and a provider. Errors and warnings set the exit code, notes do not."""
    done = invoke("check", "--format", "json", write(content))

    (report,) = json.loads(done.out)["files"]
    found = [finding for finding in report["findings"] if "no `allow`" not in finding["message"]]
    assert [(f["level"], f["line"], f["provider_id"]) for f in found] == [e[:3] for e in expected], found
    assert [f["message"] for f, e in zip(found, expected, strict=True) if e[3] not in f["message"]] == []
    assert done.exit_code == report["exit_code"] == int(any(e[0] != "note" for e in expected))
    assert done.err == ""


def test_the_text(invoke: Invoke, write: Write) -> None:
    """The active policy is a table; findings follow, one a line, in the form of a compiler."""
    path = write(provider("allow: ['X_Maas-*']\nblock: [x-foo]\nlimits: {max_headers: 8}"))

    done = invoke("check", path)

    assert (done.exit_code, done.err) == (1, "")
    digest = done.out.splitlines()[0].rpartition(" ")[2]
    assert (
        done.out
        == f"""\
vllm  remote::vllm  reads vllm_extra_headers  policy {digest}
  setting                  value      from
  allow                    x-maas-*   line 9
  block                    x-foo      line 10
  unblock                  none       default
  on_blocked               drop       default
  on_malformed             reject     default
  limits.max_headers       8          line 11
  limits.max_name_bytes    128        default
  limits.max_value_bytes   4096       default
  limits.max_total_bytes   6144       default
  enabled                  true       default
  field                    not set    default
  from_request             none       default
  set                      none       default
  on_missing               reject     default
  on_redirect              drop       default
  shadow                   not set    default

{path}:10: warning: vllm: block[0]: 'x-foo' changes nothing about what passes: no entry of `allow` matches such a \
name; remove the entry
{path}: 1 provider with extra headers, 0 without; 1 warning
"""
    )


def test_a_policy_without_allow_gets_a_note(invoke: Invoke, write: Write) -> None:
    """The default policy passes every name that is not blocked. That is not a fault, and worth knowing."""
    path = write(_config(entry("a"), entry("b", "remote::openai", "{allow: []}"), entry("c", "remote::groq", "false")))

    done = invoke("check", path)

    assert done.exit_code == 0
    assert f"{path}:7: note: a: no `allow`: every header that is not blocked passes; give `allow`" in done.out
    assert done.out.count(": note: ") == 1


def test_github_annotations(invoke: Invoke, write: Write) -> None:
    """Each finding and each unusable file is a workflow command, escaped as GitHub reads it."""
    path = write(_config(entry("a", setting="{allow: ['50%', cookie]}"), entry("b", "remote::openai")))

    done = invoke("check", "--format", "github", path, write("[", "a,b.yaml"))

    unusable = path.replace("run.yaml", "a%2Cb.yaml")
    remedy = "the core blocklist blocks it (credential: cookie); it cannot be unblocked; remove the entry"
    note = "no `allow`: every header that is not blocked passes; give `allow` to name those that pass"
    assert done.exit_code == 2
    assert done.out.splitlines() == [
        f"::error file={path},line=7::a: allow[1]: 'cookie' can never match: {remedy}",
        f"::notice file={path},line=12::b: {note}",
        f"::error file={unusable}::{path.replace('run.yaml', 'a,b.yaml')} is not YAML: line 1: syntax error",
    ]
    done = invoke("check", "--format", "github", write(provider("{allow: ['50% off']}")))
    assert "allow[0]: '50%25 off' can never match" in done.out


def test_standard_input(invoke: Invoke) -> None:
    """`-` reads it, and findings name it as compilers do."""
    done = invoke("check", "-", stdin=provider("{block: [cookie]}").encode())
    assert done.exit_code == 1
    assert "<stdin>:9: error: vllm: block[0]: 'cookie' has no effect" in done.out
    assert (
        invoke("check", "-", stdin=b"").err == "extra-headers check: <stdin> is empty; a run config is a YAML mapping\n"
    )


def test_a_long_entry_takes_no_longer_than_it_is_long(invoke: Invoke, write: Write) -> None:
    """Half a megabyte in one entry, or in a thousand, takes seconds at most, and is quoted in part."""
    for setting in (
        f"{{allow: [x{'a' * 500_000}, 'x-*']}}",
        f"{{allow: {[f'{n}-' + 'a' * 500 for n in range(1000)]}}}",
    ):
        started = time.process_time()
        done = invoke("check", write(provider(setting)))
        assert time.process_time() - started < 10
        assert "can never match: it is longer than limits.max_name_bytes; " in done.out
        assert max(map(len, done.out.splitlines())) < 1000


def test_of_several_files_the_worst_code_counts(invoke: Invoke, write: Write) -> None:
    """Every file is checked, even after one that cannot be read."""
    good, bad = write(provider("{}"), "good.yaml"), write(provider("{block: [cookie]}"), "bad.yaml")
    none = write("[", "none.yaml")

    assert invoke("check", good, good).exit_code == 0
    assert invoke("check", good, bad).exit_code == 1
    done = invoke("check", none, bad, good)
    assert done.exit_code == 2
    assert f"{bad}:9: error" in done.out
    assert f"{good}: 1 provider" in done.out
    assert [f["exit_code"] for f in json.loads(invoke("check", none, bad, good, "--format", "json").out)["files"]] == [
        2,
        1,
        0,
    ]


def test_many_findings(invoke: Invoke, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes from the environment is looked up once for a provider, not once for each of its findings."""
    calls: list[object] = []
    walk = policies._from_environment

    def counting(value: Any) -> Iterator[Any]:
        calls.append(value)
        return walk(value)

    monkeypatch.setattr(policies, "_from_environment", counting)
    done = invoke("check", write(provider("{allow: [" + ", ".join(["'a b'"] * 200) + "]}")))

    assert done.out.count("can never match") == 200
    assert len(calls) <= 2 * 202
