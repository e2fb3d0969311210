"""No value of a header reaches the server's log, its metrics or an error, whatever happens to the header."""

import json

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
    # The validators of the host fail on this one and log their input, also that of a type without the add-on.
    bad_key = json.dumps(
        {"vllm_api_token": [_SECRET], "groq_api_key": [_SECRET], "vllm_extra_headers": {"X-Tenant": _SECRET}}
    )
    answers += [stack.send(provider, None, provider_data=bad_key) for provider in ("on", "another_type")]

    sent = b"".join(received.head for received in stack.upstream.take())
    assert sent.count(_SECRET.encode()) >= 5  # the canary was in the traffic
    assert stack.server.log.count("Error parsing provider data") >= 2  # the validators did fail
    for place in (stack.server.log, stack.client.get(stack.metrics_url).text, *(a.text for a in answers)):
        assert _SECRET not in place
        assert PROVIDER_KEY not in place
