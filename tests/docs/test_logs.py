"""docs/logs.md: its jq commands run on real records, and every key that a query or an example names exists in one."""

import json
import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from opentelemetry.trace import SpanContext

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.policy.identity import User
from extra_headers.telemetry import contract
from extra_headers.telemetry.audit import AuditLog
from extra_headers.telemetry.audit_sinks import LineSink
from extra_headers.telemetry.spans import decision_attributes
from tests.dashboards.programs import program
from tests.docs.pages import ROOT, Block, blocks

_PAGE = ROOT / "docs" / "logs.md"
_KEYS = {a.name for a in (*contract.AUDIT_KEYS, *contract.DECISION_ATTRIBUTES, *contract.AUDIT_ATTRIBUTES)}
_PATH = "/var/log/ogx/audit.jsonl"


def _blocks(language: str) -> list[Block]:
    return [block for block in blocks(_PAGE) if block.language == language]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with an audit log of three requests."""
    monkeypatch.setattr("extra_headers.telemetry.audit.time.time_ns", lambda: 1_795_768_200_000_000_000)
    log = AuditLog(LineSink(str(tmp_path / "audit.jsonl")))
    policy = Policy(on_malformed="drop")
    context = SpanContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, is_remote=False)
    for user, headers in (
        (User("mallory", "blue"), {"X-Tenant": "a", "Authorization": "s", "X-Forwarded-For": "s"}),
        (User("alice", "blue"), {"X-Note": "\n"}),
        (User("mallory", "blue"), {"Cookie": "s"}),
    ):
        evaluation = evaluate(headers, policy)
        log.record(evaluation, decision_attributes(evaluation, "vllm", policy.digest, user), context)
    return tmp_path


def test_commands_print_what_the_page_shows(directory: Path) -> None:
    """Each jq command, run on the records, prints the block below it."""
    program("jq")
    shown = [block for block in blocks(_PAGE) if block.language in {"shell", "text"}]
    pairs = [(block, below) for block, below in pairwise(shown) if below.language == "text"]
    assert len(pairs) == len(_blocks("text")) == 2
    for command, output in pairs:
        done = subprocess.run(  # noqa: S603 - our own documentation
            ["/bin/bash", "-euo", "pipefail", "-c", command.text],
            cwd=directory,
            env=os.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        printed = [line.rstrip() for line in done.stdout.splitlines()]
        assert printed == [line.rstrip() for line in output.text.splitlines()], command


def test_the_example_is_a_record(directory: Path) -> None:
    """The first record is the one on the page, key by key and in order, but for the digest of the policy."""
    record = json.loads((directory / "audit.jsonl").read_text().splitlines()[0])
    example = json.loads(_blocks("json")[0].text)
    example[contract.ATTR_POLICY] = record[contract.ATTR_POLICY]

    assert list(record.items()) == list(example.items())


def test_every_key_in_a_query_exists() -> None:
    """LogQL sees keys with `_` for dots, all but arrays; what it names beside them, the query itself defines."""
    labels = {re.sub(r"\W", "_", key) for key in _KEYS}
    queries = _blocks("logql")
    assert len(queries) == 5
    for query in queries:
        text = query.text.replace('\\"', "'")
        selector, _, pipeline = text.partition("}")
        assert selector.endswith('{job="ogx-audit"')
        arrays = dict(re.findall(r"json (\w+)=\"\['([^']+)'\]\"", pipeline))
        assert set(arrays.values()) <= _KEYS, query
        stages = re.sub(r'"[^"]*"', "", pipeline)
        named = set(re.findall(r"(\w+)\s*=", stages)) | set(re.findall(r"unwrap (\w+)", stages))
        named |= {name for group in re.findall(r"by \(([^)]*)\)", text) for name in re.findall(r"\w+", group)}
        assert named - set(arrays) <= labels, query


def test_every_key_of_elasticsearch_exists() -> None:
    """In the query language of Kibana, and in a search."""
    (kql,) = _blocks("kql")
    assert set(re.findall(r"[\w.]+(?= :)", kql.text)) <= _KEYS
    search = json.loads(_blocks("json")[1].text)
    fields = {field for part in search["query"]["bool"]["filter"] for body in part.values() for field in body}
    assert (fields | {search["aggs"]["users"]["terms"]["field"]}) - {"@timestamp"} <= _KEYS


def test_the_collectors_read_the_file() -> None:
    """Both examples read the path that the server writes, and its time."""
    (alloy,) = _blocks("alloy")
    filebeat = yaml.safe_load(_blocks("yaml")[0].text)
    assert f"{contract.ENV_AUDIT_LOG}={_PATH}" in _blocks("shell")[0].text
    assert f'__path__ = "{_PATH}"' in alloy.text
    assert f'source = "{contract.KEY_TIMESTAMP}"' in alloy.text
    assert alloy.text.count("{") == alloy.text.count("}")
    (read,) = filebeat["filebeat.inputs"]
    assert read["paths"] == [_PATH]
    assert filebeat["processors"][0]["timestamp"]["field"] == contract.KEY_TIMESTAMP


def test_runbooks_name_keys_that_exist() -> None:
    """An attribute in a runbook is one of a span or of an audit record, or the audit log itself."""
    known = _KEYS | {a.name for a in contract.SHADOW_ATTRIBUTES} | {contract.LOGGER_AUDIT, contract.EVENT_DECISION}
    for page in sorted((ROOT / "dashboards" / "runbooks").glob("*.md")):
        named = set(re.findall(r"`(extra_headers\.[\w.]+|user\.id)`", page.read_text(encoding="utf-8")))
        assert named <= known, page.name
