"""The signer of an instance; the real one asks the instance's metadata service for its key."""

from ..signer import AbstractBaseSigner  # noqa: TID252 - found as `oci` and, by type checkers, in here


class InstancePrincipalsSecurityTokenSigner(AbstractBaseSigner):
    """Signs with the key of the machine it runs on."""
