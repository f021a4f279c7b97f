"""The line to the server over TLS, with a certificate of one's own and an API key: a TLS door stands before it."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starover_cli.main import main
from starover_cli.settings import Settings
from temporal_server import TemporalServer, missing

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing() or "all is there"),
    pytest.mark.skipif(not os.environ.get("STAROVER_STORIES"), reason="what does not change every day: make test-all"),
]

INVENTORY = Path(__file__).parents[2] / "inventory" / "example.yaml"


def certificate(folder: Path, name: str, by: str = "") -> None:
    """NAME.pem and NAME.key for 127.0.0.1, made by `by`, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing = subject, key
    if by:
        issuer = x509.load_pem_x509_certificate((folder / f"{by}.pem").read_bytes()).subject
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        loaded = load_pem_private_key((folder / f"{by}.key").read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signing = loaded
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=not by, path_length=None), critical=True)
        .sign(signing, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{name}.key").write_bytes(plain)


class Door:
    """Takes TLS with certificates of our own authority only, and hands on what is within."""

    def __init__(self, folder: Path, behind: int) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.context.load_verify_locations(folder / "authority.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.set_alpn_protocols(["h2"])
        self.behind = behind
        self.taking: set[asyncio.Task[Any]] = set()

    async def serve(self, up: threading.Event, ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        over = asyncio.Event()
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        ends.append((asyncio.get_running_loop(), over))
        up.set()
        await over.wait()
        server.close()
        for task in self.taking:
            task.cancel()
        await asyncio.gather(*self.taking, return_exceptions=True)
        await asyncio.sleep(0.1)  # what was aborted is closed by the loop

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.taking.add(task)
        open_ = [writer]

        async def pump(one: asyncio.StreamReader, other: asyncio.StreamWriter) -> None:
            while data := await one.read(65536):
                other.write(data)
                await other.drain()
            other.close()

        try:
            await writer.start_tls(self.context, ssl_handshake_timeout=30)
            there, away = await asyncio.open_connection("127.0.0.1", self.behind)
            open_.append(away)
            await asyncio.gather(pump(reader, away), pump(there, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for one in open_:
                one.transport.abort()
            self.taking.discard(task)


@contextmanager
def door(folder: Path, behind: int) -> Iterator[Door]:
    made, up = Door(folder, behind), threading.Event()
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    thread = threading.Thread(target=lambda: asyncio.run(made.serve(up, ends)))
    thread.start()
    assert up.wait(60)
    try:
        yield made
    finally:
        loop, over = ends[0]
        loop.call_soon_threadsafe(over.set)
        thread.join()


def test_a_certificate_of_ones_own_opens_and_a_key_goes_over_tls_only(tmp_path: Path) -> None:
    for name, by in (("authority", ""), ("server", "authority"), ("client", "authority"), ("stranger", "")):
        certificate(tmp_path, name, by)
    with TemporalServer(tmp_path) as server, door(tmp_path, server.port) as tls:

        def typed(port: int, *words: str, **variables: str) -> Result:
            settings = Settings(dir=str(tmp_path / "state"), inventory=str(INVENTORY))
            line = ["runs", "--engine", "temporal", "--address", f"127.0.0.1:{port}", *words]
            return CliRunner().invoke(main, line, obj=settings, env={"STAROVER_TEMPORAL_CODEC_KEY": "", **variables})

        own = ["--tls-ca", str(tmp_path / "authority.pem")]
        mine = ["--tls-cert", str(tmp_path / "client.pem"), "--tls-key", str(tmp_path / "client.key")]
        good = typed(tls.port, *own, *mine)
        assert (good.exit_code, "knows no run of this estate" in good.stdout) == (0, True), good.output
        strange = ["--tls-cert", str(tmp_path / "stranger.pem"), "--tls-key", str(tmp_path / "stranger.key")]
        for words in ([*own, *strange], own, mine, ["--tls"]):
            bad = typed(tls.port, *words)
            assert (bad.exit_code, "does not answer" in bad.stderr) == (6, True), (words, bad.output)
        secret = {"TEAM_USER": "any", "TEAM_PASSWORD": "a-key-that-is-secret"}
        keyed = typed(tls.port, *own, *mine, "--api-key", "env:TEAM", **secret)
        assert keyed.exit_code == 0, keyed.output
        plain = typed(server.port, "--api-key", "env:TEAM", **secret)
        assert plain.exit_code == 6, plain.output
        for one in (good, keyed, plain):
            assert secret["TEAM_PASSWORD"] not in one.output
        unknown = typed(tls.port, *own, *mine, "--api-key", "a-key-that-is-secret")
        assert (unknown.exit_code, secret["TEAM_PASSWORD"] in unknown.output) == (2, False)
