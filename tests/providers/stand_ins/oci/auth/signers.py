"""The signer of an instance; the real one asks the instance's metadata service for its key."""

from ..signer import AbstractBaseSigner


class InstancePrincipalsSecurityTokenSigner(AbstractBaseSigner):
    """Signs with the key of the machine it runs on."""
