"""HTTPS: the connection goes to the address that was checked, and the certificate is still held against the name."""

from __future__ import annotations

import datetime
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.evaluation.tools.web import Web

ASK = """
import sys
from evaluation.records import ToolCall
from evaluation.scenarios import ToolDef
from evaluation.tools.execute import ToolBox
from evaluation.tools.outside import HttpTool, Reach
for url in sys.argv[1:]:
    tool = ToolDef(name="ask", description="", parameters={"type": "object"}, http=HttpTool(url=url))
    box = ToolBox([tool], reach=Reach.of(["http", "private"]), time_limit_s=30)
    print(box.call_now(ToolCall(id="1", name="ask", arguments={})).content)
"""


def certificate(folder: Path) -> Path:
    """Write a key and a certificate for `localhost` that signs itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "localhost.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Web, Path]]:
    web, pem = Web(), certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield web, pem
    web.shutdown()
    web.server_close()
    thread.join()


def test_the_certificate_is_held_against_the_name(secure: tuple[Web, Path]) -> None:
    web, pem = secure
    port = web.server_address[1]
    # In a process of its own, since what is trusted is read once.
    asked = [sys.executable, "-c", ASK, f"https://localhost:{port}/echo", f"https://127.0.0.1:{port}/echo"]
    done = subprocess.run(asked, env={"SSL_CERT_FILE": str(pem)}, capture_output=True, text=True, check=True)
    right, wrong = map(json.loads, done.stdout.splitlines())
    assert right["headers"]["Host"] == f"localhost:{port}"
    assert "certificate is not valid for '127.0.0.1'" in wrong["error"]
