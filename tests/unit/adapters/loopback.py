"""A server on loopback that checks how requests are signed, over TLS too."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CREDENTIALS = Credentials("testing", "testing")
DROP = 0
"""No status: the connection is closed without an answer."""


def is_signed(
    request: BaseHTTPRequestHandler, url: str, signer: SigV4Auth, body: bytes = b""
) -> bool:
    """Sign the request once more, as it arrived, and compare."""
    authorization = request.headers.get("Authorization", "")
    _, _, signed = authorization.partition("SignedHeaders=")
    names = signed.partition(",")[0].split(";")
    again = AWSRequest(
        request.command,
        url + request.path,
        headers={name: request.headers[name] for name in names},
        data=body,
    )
    again.context["timestamp"] = request.headers["X-Amz-Date"]
    signature = signer.signature(
        signer.string_to_sign(again, signer.canonical_request(again)), again
    )
    return authorization.endswith(f"Signature={signature}")


def a_certificate(folder: Path) -> Path:
    """Make a certificate for loopback, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "loopback.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


def answering(
    answer: Callable[[BaseHTTPRequestHandler], tuple[int, Mapping[str, str], bytes]],
) -> type[BaseHTTPRequestHandler]:
    """Give a handler that answers with a status, headers and a body, over a kept connection."""

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            status, headers, body = answer(self)
            if status == DROP:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Answering


@contextmanager
def served(handler: type[BaseHTTPRequestHandler], certificate: Path | None = None) -> Iterator[str]:
    """Serve, over TLS with a certificate; give the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
