"""Where the SDK looks for its configuration file."""

DEFAULT_LOCATION = "~/.oci/config"
DEFAULT_PROFILE = "DEFAULT"
