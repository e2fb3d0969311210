"""`--keep`: leaves the servers running, prints commands to try, and shows each request that reaches the provider."""

import json
import shlex
import signal
from collections.abc import Mapping

from ...testing.processes import ServerError
from ..signals import Stopped
from .attack import Monitoring
from .environment import Environment
from .hosts import Host
from .scenarios import PROVIDER_ID

_POLL_SECONDS = 0.2

_TRIES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("an allowed header: it arrives, see below", {"X-Team": "blue"}),
    ("an override attempt: the call is sent without it", {"Authorization": "Bearer attacker", "X-Team": "blue"}),
    ("a malformed value: answered 400, and nothing is sent", {"X-Team": "blue\r\nX-Admin: yes"}),
)


def keep_running(environment: Environment, monitoring: Monitoring | None, program: str) -> None:
    """Print commands to try, then each request that reaches the provider, until Ctrl-C.

    Args:
        environment: the running parts.
        monitoring: Prometheus and Alertmanager, if they run.
        program: `extra-headers`, as a shell finds it.

    Raises:
        ServerError: the server ended.
        Stopped: another signal came.

    """
    reporter, server = environment.reporter, environment.server
    reporter.note("\nEverything keeps running until Ctrl-C:")
    parts = {
        environment.host.name: server.url,
        "provider": environment.provider.base_url,
        "metrics": environment.metrics_url,
        "OTLP": environment.receiver.url,
        environment.host.file: str(server.config_path),
        "log": str(server.log_path),
    }
    if monitoring:
        parts |= {"Prometheus": monitoring.prometheus.url, "Alertmanager": monitoring.alertmanager.url}
    for what, where in parts.items():
        reporter.note(f"  {what:<12} {where}")
    reporter.note("\nRequests to try in another terminal:")
    for purpose, headers in _TRIES:
        reporter.command(purpose, _curl(environment.host, server.url, headers))
    reporter.command("the counters", [f"curl -s {environment.metrics_url} | grep '^extra_headers_.*_total'"])
    explain = f"{program} explain {server.config_path} --provider {PROVIDER_ID}"
    reporter.command("the decision on a header, and the rule", [f"{explain} -H 'Authorization: Bearer attacker'"])
    reporter.command("decisions as they are made", [f"{program} watch {environment.metrics_url}"])
    if monitoring:
        reporter.command("the alerts", [f"curl -s {monitoring.alertmanager.url}/api/v2/alerts"])
    reporter.note("\nWaiting for requests; Ctrl-C ends the demo.")
    try:
        while server.is_running:
            for request in environment.provider.take():
                if request.method == "POST":
                    reporter.arrival(environment.arrival(request))
            # The server exports every second, and nothing reads it any more.
            environment.receiver.clear()
            environment.signals.sleep(_POLL_SECONDS)
    except Stopped as stopped:
        if stopped.number == signal.SIGINT:
            environment.signals.forget()  # the normal end
            return
        raise
    raise ServerError(f"the server ended:\n{server.last_lines}")


def _curl(host: Host, url: str, extra_headers: Mapping[str, str]) -> list[str]:
    """Return the lines of a command that sends a chat message with extra headers."""
    headers, body = host.ask(PROVIDER_ID, "hi", extra_headers)
    return [
        f"curl -sw '\\n' {url}/v1/chat/completions -H 'content-type: application/json'",
        *(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()),
        f"-d {shlex.quote(json.dumps(body))}",
    ]
