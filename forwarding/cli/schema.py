"""`extra-headers schema`."""

import click

_EPILOG = """\b
Examples:
  extra-headers schema > extra-headers.schema.json
  extra-headers schema --run-config > run-config.schema.json
  extra-headers schema --litellm > litellm.schema.json

\b
With the YAML language server (VS Code and others), start a run config with:
  # yaml-language-server: $schema=run-config.schema.json
"""


@click.command(epilog=_EPILOG)
@click.option("--run-config", "whole", flag_value="run-config", help="The schema of a whole OGX run config.")
@click.option("--litellm", "whole", flag_value="litellm", help="The schema of a whole LiteLLM config.yaml.")
def schema(*, whole: str | None) -> None:
    """Print the JSON Schema of `extra_headers`, for editors.

    By default, it describes the value of `extra_headers` in a provider's config, in draft 2020-12. The schema cannot
    express every rule; run `extra-headers check` as well.
    """
    from .json_schema import render  # noqa: PLC0415 - too slow for `--help`

    click.echo(render(whole), nl=False)
