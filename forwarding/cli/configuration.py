"""An operator's file of either host, by what it contains: an OGX run config or a LiteLLM config.yaml."""

import os
from collections.abc import Sequence

from ..litellm import config_checks, config_file
from ..run_config import checks
from ..run_config.findings import Finding
from ..run_config.policies import Checked
from ..run_config.providers import Provider, RunConfig, run_config_of
from ..run_config.yaml_document import read_document


def read(path: str) -> RunConfig:
    """Return the providers in a file, or in standard input if the path is `-`.

    Raises:
        UnusableFileError: the file is neither.

    """
    document = read_document(path)
    if config_file.is_litellm_config(document):
        return config_file.read_litellm_config(document, path, os.environ)
    return run_config_of(document, path, os.environ)


def check(config: RunConfig) -> tuple[Sequence[Checked], Sequence[Finding]]:
    """Return the policies, and everything that is wrong, in the order of the file."""
    return config_checks.check(config) if is_litellm(config) else checks.check(config)


def check_provider(config: RunConfig, provider: Provider) -> Sequence[Finding]:
    """Return what is wrong with one provider, taken alone."""
    if is_litellm(config):
        return config_checks.check_provider(config, provider)
    return checks.check_provider(config, provider)


def is_litellm(config: RunConfig) -> bool:
    """Return whether a file is a LiteLLM config.yaml."""
    return config.host == config_file.HOST
