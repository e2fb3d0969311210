"""No value of a header reaches the server's log, its metrics or an error, whatever happens to the header."""

from tests.server.stack import PROVIDER_KEY, Stack

_SECRET = "canary-5217"


def test_no_value_in_log_metrics_or_errors(stack: Stack) -> None:
    """Forwarded, blocked, malformed and rejected values leave no trace outside the provider's socket."""
    answers = [
        stack.send(provider, headers)
        for provider in ("on", "reject_both", "drop_both", "allowing", "network")
        for headers in (
            {"X-Tenant": f"{_SECRET}-forwarded"},
            {"Authorization": f"Bearer {_SECRET}-blocked"},
            {"X-Tenant": f"{_SECRET}\r\nmalformed"},
            {f"{_SECRET} in a name": "1"},
            [f"{_SECRET}-envelope"],
        )
    ]
    answers.append(stack.send("on", None, provider_data=f'{{"vllm_extra_headers": "{_SECRET}'))
    # The host's own validator fails on this one and logs its input.
    bad_key = f'{{"vllm_api_token": ["{_SECRET}"], "vllm_extra_headers": {{"X-Tenant": "{_SECRET}"}}}}'
    answers.append(stack.send("on", None, provider_data=bad_key))

    sent = b"".join(received.head for received in stack.upstream.take())
    assert sent.count(_SECRET.encode()) >= 5  # the canary was in the traffic
    assert "Error parsing provider data" in stack.server.log  # the validator did fail
    for place in (stack.server.log, stack.client.get(stack.metrics_url).text, *(a.text for a in answers)):
        assert _SECRET not in place
        assert PROVIDER_KEY not in place
