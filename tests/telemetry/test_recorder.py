"""What a process records that is not of one header: fields that nobody reads, requests without extra headers."""

import logging

import pytest
from prometheus_client import REGISTRY

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.policy.identity import User
from extra_headers.telemetry import contract, recorder
from extra_headers.telemetry.metrics import ProviderLabels
from extra_headers.telemetry.rate_limit import RateLimit
from extra_headers.telemetry.recorder import Recorder, record_unread_field
from tests.telemetry.totals import totals


def test_unread_fields_are_counted_and_logged_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each one counts; the line names the first and the number of those that were held back."""
    now = 0.0
    monkeypatch.setattr(recorder, "_unread_fields_logged", RateLimit(1, 1 / 60, lambda: now))
    record_unread_field("vlm_extra_headers")
    before = totals(REGISTRY, contract.UNREAD_FIELDS_TOTAL)[()]
    for _ in range(9):
        record_unread_field("vlm_extra_headers")
    now += 60
    record_unread_field("extra_headers")

    assert totals(REGISTRY, contract.UNREAD_FIELDS_TOTAL)[()] - before == 10
    first, second = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "no provider reads 'vlm_extra_headers'" in first
    assert "no provider reads 'extra_headers'" in second
    assert "(9 more since" in second


def test_a_field_that_is_no_plain_name_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Markup, line breaks and endless names of callers stay out of the log."""
    monkeypatch.setattr(recorder, "_unread_fields_logged", RateLimit(10, 0))
    for field in ("[bold]_extra_headers", "x\n2026 INFO forged_extra_headers", "n" * 65, "\u202e_extra_headers", ""):
        record_unread_field(field)

    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 5
    for message in messages:
        assert message.startswith("extra_headers: no provider reads a field with a name of ")
        assert message.isprintable()


def test_a_rejection_without_extra_headers_counts_as_a_request() -> None:
    """A user without the value of an identity header is rejected whether there are extra headers or not."""
    policy = Policy(set={"x-user": "${user.id}"})
    one = Recorder(
        ProviderLabels(
            "rejecting", "remote::vllm", policy.digest, "drop", "drop", identity_headers={"x-user": "x-user"}
        )
    )
    for user in (User("alice"), User(), User()):
        identity_headers = policy.identity_headers(user)
        assert identity_headers is not None
        one.record_identity_headers(identity_headers, "http://127.0.0.1/", user)

    counted = totals(REGISTRY, contract.REQUESTS_TOTAL)
    assert {labels[1]: value for labels, value in counted.items() if labels[0] == "rejecting"} == {
        "clean": 0,
        "filtered": 0,
        "rejected": 2,
    }


def test_headers_from_the_request_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """A record tells headers that came as plain headers of the request from those of the provider data."""
    policy = Policy()
    one = Recorder(ProviderLabels("plain", "remote::vllm", policy.digest, "drop", "reject"))
    evaluation = evaluate({"x-maas-subscription": "free", "Cookie": "s"}, policy)
    one.record(evaluation, 1e-6, "http://127.0.0.1/", from_request=["x-maas-subscription"])

    (record,) = [r for r in caplog.records if r.name == contract.LOGGER_AUDIT]
    assert vars(record)[contract.ATTR_FROM_REQUEST_NAMES] == ["x-maas-subscription"]
