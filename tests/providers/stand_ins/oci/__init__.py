"""As much of Oracle's SDK as OGX's oci provider uses: a request signer, and a client that lists no models.

The signer does what the real one does (HTTP signatures over fixed headers and the body's hash), with a shared key.
"""

from . import auth, config, generative_ai, signer

__all__ = ["auth", "config", "generative_ai", "signer"]
