"""`extra-headers demo`."""

from importlib.util import find_spec

import click

from ..errors import CommandFailedError, UnusableInputError

_STOPPED = "extra-headers demo: stopped; nothing is left running"


_PORT = click.IntRange(1, 65535)


@click.command(epilog="Exits with 0 only if every result was as expected.")
@click.option("--host", "host_name", type=click.Choice(["ogx", "litellm"]), default="ogx", show_default=True)
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C, and print commands to try.")
@click.option("--port", type=_PORT, default=8321, show_default=True, help="Port of the host's server.")
@click.option("--upstream-port", type=_PORT, default=9001, show_default=True, help="Port of the model provider.")
@click.option("--metrics-port", type=_PORT, default=9464, show_default=True, help="Port of the server's metrics.")
@click.option("--prometheus", is_flag=True, help="Then attack until an alert fires in a real Prometheus.")
@click.option("--prometheus-port", type=_PORT, help="Port of Prometheus.  [default: any free one]")
@click.option("--alertmanager-port", type=_PORT, help="Port of Alertmanager.  [default: any free one]")
@click.pass_context
def demo(  # noqa: PLR0913 - the command's options
    context: click.Context,
    *,
    host_name: str,
    keep: bool,
    port: int,
    upstream_port: int,
    metrics_port: int,
    prometheus: bool,
    prometheus_port: int | None,
    alertmanager_port: int | None,
) -> int:
    """Run a real OGX or LiteLLM server with friendly and hostile callers, and check every result.

    For each call, the demo prints what the caller sent, what was decided and why, and what the model provider received,
    which is a stub that records every byte. It then prints the counters and a span. It takes about ten seconds.
    Everything runs on loopback in a temporary directory, and ends with the demo.

    The demo requires OGX: pip install 'extra-headers-forwarding[ogx]', or, with --host litellm, LiteLLM:
    pip install 'extra-headers-forwarding[litellm,otlp]'

    With --prometheus, the demo then attacks the server until ExtraHeadersBlockedSpike fires in a real Prometheus and
    Alertmanager, with the generated rules at shortened windows. This takes another twenty seconds. On Debian, install
    both with: apt-get install prometheus prometheus-alertmanager

    \b
    Example, if port 8321 is in use:
      extra-headers demo --port 8400
    """  # noqa: D301 - click looks for the character itself
    from ...testing import monitoring, processes  # noqa: PLC0415 - too slow for `--help`
    from .. import signals  # noqa: PLC0415 - too slow for `--help`
    from . import hosts, ports  # noqa: PLC0415 - too slow for `--help`

    host = hosts.HOSTS[host_name]
    if not all(map(_is_installed, host.packages)):
        install = f"pip install 'extra-headers-forwarding[{host.extras}]'"
        raise CommandFailedError(context, f"the demo requires {host.name}; install it with: {install}")
    try:
        from . import run  # noqa: PLC0415 - too slow for `--help`

        programs = monitoring.find_programs() if prometheus else None
        listen = ports.Ports(port, upstream_port, metrics_port, prometheus_port, alertmanager_port)
        passed = run.run(host, listen, keep=keep, programs=programs)
    except (ports.PortError, monitoring.MissingProgramError) as error:
        raise UnusableInputError(context, str(error)) from None
    except processes.ServerError as error:
        raise CommandFailedError(context, str(error)) from None
    except signals.Stopped as stopped:
        click.echo(_STOPPED, err=True)
        return stopped.exit_code
    if keep:
        click.echo(_STOPPED, err=True)
    return 0 if passed else 1


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
