"""Signs requests as Oracle's SDK does: which headers, in which order, and what it takes as given when it is there."""

import base64
import hashlib
import hmac
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

_KEY = b"the-signing-key"
_SIGNED = ("date", "(request-target)", "host", "content-length", "content-type", "x-content-sha256")


class AbstractBaseSigner:
    """The base class that the provider's annotations name."""

    def do_request_sign(self, request: Any) -> None:
        """Add what is missing of the signed headers, and the signature over them, to a prepared request."""
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        url = urlsplit(request.url)
        request.headers.setdefault("date", formatdate(usegmt=True))
        request.headers.setdefault("host", url.netloc)
        request.headers.setdefault("x-content-sha256", base64.b64encode(hashlib.sha256(body).digest()).decode())
        target = f"{request.method.lower()} {url.path}"
        lines = [f"{name}: {target if name[0] == '(' else request.headers[name]}" for name in _SIGNED]
        signature = base64.b64encode(hmac.digest(_KEY, "\n".join(lines).encode(), "sha256")).decode()
        request.headers["authorization"] = f'Signature headers="{" ".join(_SIGNED)}",signature="{signature}"'


class Signer(AbstractBaseSigner):
    """The signer of a user."""
