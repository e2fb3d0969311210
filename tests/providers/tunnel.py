"""An HTTP proxy that plays every host of the internet: it ends TLS and hands the bytes to one recording upstream.

Providers whose address cannot be configured (bedrock, gemini, vertexai, oci, anthropic) are reached under their real
names this way, over real TLS, with nothing in the server replaced. Certificates are made on the spot.
"""

import asyncio
import contextlib
import datetime as dt
import ssl
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class CertificateAuthority:
    """Makes a certificate for any host name; `bundle` is what its clients have to trust."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        self.bundle = directory / "authority.pem"
        limits = x509.BasicConstraints(ca=True, path_length=0)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        own = self._builder(self._name, self._key).add_extension(limits, critical=True)
        self.bundle.write_bytes(_pem(own.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())))
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context_for(self, host: str) -> ssl.SSLContext:
        """Return the server's side of TLS for a host name."""
        if host not in self._contexts:
            key = ec.generate_private_key(ec.SECP256R1())
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])]), key)
            signed = builder.add_extension(names, critical=False).add_extension(authority, critical=False)
            path = self._directory / f"{host}.pem"
            path.write_bytes(_key_pem(key) + _pem(signed.sign(self._key, hashes.SHA256())))
            context = self._contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(path)
        return self._contexts[host]

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class Tunnel:
    """The proxy, in a thread of its own while the `with` block runs.

    Args:
        authority: makes the certificates.
        upstream_port: where the decrypted bytes go, whichever host they were meant for.

    """

    def __init__(self, authority: CertificateAuthority, upstream_port: int) -> None:
        self._authority = authority
        self._upstream_port = upstream_port
        self._loop = asyncio.new_event_loop()
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="tunnel", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def url(self) -> str:
        """The address to configure as a proxy's."""
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._started.set_result(server.sockets[0].getsockname()[1])
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            try:
                await self._relay(reader, writer)
            finally:
                writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 -\r\n\r\n")
            await writer.drain()
            await writer.start_tls(self._authority.context_for(target.decode("ascii").partition(":")[0]))
            head = b""
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        upstream_writer.write(head)
        try:
            await asyncio.gather(_copy(reader, upstream_writer), _copy(upstream_reader, writer))
        finally:
            upstream_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
