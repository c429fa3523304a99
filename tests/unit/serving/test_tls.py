"""Encrypted connections: real handshakes over this machine's network."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import subprocess
import warnings
from pathlib import Path

import pytest
from serving import Photographs, listening, service_of

from eyebright.errors import ConfigError
from eyebright.serving.served_model import ServedModel
from eyebright.serving.server import tls_files

OPENSSL, CURL = shutil.which("openssl"), shutil.which("curl")

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl makes the certificates")


def _made(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signed itself, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    made = [*words.split(), "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run(
        [str(OPENSSL), *made, "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    return certificate, key


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _made(tmp_path_factory.mktemp("tls"), "own")


def test_who_trusts_the_certificate_is_answered(
    served: ServedModel, photos: Photographs, pair: tuple[Path, Path]
):
    trusting = ssl.create_default_context(cafile=str(pair[0]))
    with listening(service_of(served), *pair) as port:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusting)
        connection.request("POST", "/predict", photos.first)
        answer = json.loads(connection.getresponse().read())
        assert connection.sock.version() in ("TLSv1.2", "TLSv1.3")
        connection.close()
        assert answer["predictions"][0]["answer"] in served.sealed.labels
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection("127.0.0.1", port, timeout=10).request("GET", "/health/live")


@pytest.mark.parametrize("limit", ["TLSv1", "TLSv1_1"])
def test_old_versions_are_refused(served: ServedModel, pair: tuple[Path, Path], limit: str):
    old = ssl.create_default_context(cafile=str(pair[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # for which they are refused
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion[limit]
    with listening(service_of(served), *pair) as port, pytest.raises(ssl.SSLError):
        http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=old).request("GET", "/health/live")


@pytest.mark.skipif(CURL is None, reason="no curl")
def test_curl_shakes_hands_and_plain_requests_are_not_answered(
    served: ServedModel, photos: Photographs, pair: tuple[Path, Path]
):
    with listening(service_of(served), *pair) as port:
        image = ["--data-binary", f"@{photos.paths[0]}"]
        words = [str(CURL), "-sS", "--cacert", str(pair[0]), "-m", "10", *image]
        said = subprocess.run([*words, f"https://localhost:{port}/predict"], check=True, capture_output=True)
        assert json.loads(said.stdout)["model"]["sha256"] == served.sha256
        plain = subprocess.run([*words, f"http://localhost:{port}/predict"], check=False, capture_output=True)
        assert plain.returncode != 0
        assert not plain.stdout


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, pair: tuple[Path, Path]):
    assert tls_files(*pair) == pair
    _, other = _made(tmp_path, "other")
    with pytest.raises(ConfigError, match="belong together"):
        tls_files(pair[0], other)
    with pytest.raises(ConfigError, match="belong together"):
        tls_files(pair[1], pair[0])
