"""The LiteLLM proxy host, which loads `litellm_settings.callbacks: [extra_headers.forwarding.litellm.callback]`.

LiteLLM imports this package and asks it for `callback`. Only that imports LiteLLM, checks every policy of the running
proxy's configuration and starts to enforce, so that the package itself can be imported anywhere.
"""


def __getattr__(name: str) -> object:
    if name != "callback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .start import start_callback  # noqa: PLC0415 - imports LiteLLM

    made: object = start_callback()
    globals()[name] = made
    return made
