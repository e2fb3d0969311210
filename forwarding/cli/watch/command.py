"""`extra-headers watch`."""

import os
import sys

import click

_DEFAULT = "http://127.0.0.1:9464/metrics"


@click.command(epilog="Ends with Ctrl-C, and with --once after one reading: 0, or 1 if an endpoint could not be read.")
@click.argument("urls", metavar="[URL]...", nargs=-1)
@click.option(
    "--interval", type=click.IntRange(1, 3600), default=2, show_default=True, help="Seconds between readings."
)
@click.option("--once", is_flag=True, help="Print the totals of one reading as lines, and end.")
@click.pass_context
def watch(context: click.Context, *, urls: tuple[str, ...], interval: int, once: bool) -> int:
    """Watch the decisions of running servers, without Prometheus or Grafana.

    Reads the metrics endpoint at URL, by default that of an OGX server on this machine, and shows the decisions per
    second, the names that are blocked most, the last attempt to override a header, the policy in force on each
    provider, and where a shadow policy would decide otherwise. Several URLs are replicas of one server: their numbers
    are added up, and policies that differ are marked.

    In a pipe it prints lines instead of a screen, a block for each reading.

    \b
    Examples:
      extra-headers watch
      extra-headers watch http://10.0.0.1:9464/metrics http://10.0.0.2:9464/metrics
      extra-headers watch --once | grep override-attempt
    """  # noqa: D301 - click looks for the character itself
    from ..signals import Stopped  # noqa: PLC0415 - too slow for `--help`
    from . import run, scrape  # noqa: PLC0415 - too slow for `--help`

    try:
        checked = [scrape.check_url(url) for url in urls or (_DEFAULT,)]
    except scrape.BadUrlError as error:
        raise click.UsageError(str(error), context) from None
    if twice := next((url for url in checked if checked.count(url) > 1), None):
        raise click.UsageError(f"{twice} is given twice, and would be counted twice", context)
    try:
        return 0 if run.watch(checked, interval, once=once) else 1
    except Stopped as stopped:
        return stopped.exit_code
    except BrokenPipeError:
        # Whoever read our output has what they wanted. Python would complain at its end, when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
