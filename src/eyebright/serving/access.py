"""Who may reach a server, and how: checked before anything is loaded."""

from __future__ import annotations

import ssl
from pathlib import Path

from eyebright.errors import ConfigError, NotFoundError
from eyebright.runtime.context import say
from eyebright.serving.security import Tokens, is_loopback, readable_by_others


def tokens_for(host: str, file: Path | None, *, encrypted: bool) -> Tokens | None:
    """Return the tokens of a file, or None on an address that only this machine reaches.

    Args:
        host: the address to listen on.
        file: with the tokens, if there is one.
        encrypted: whether TLS is used.

    Raises:
        ConfigError: others reach the address, and there is no file; or it holds no tokens.
        NotFoundError: the file does not exist.
    """
    if file is None:
        if not is_loopback(host):
            raise ConfigError(
                "An address that others can reach needs tokens. {host} is one, and there is no --token-file. "
                "Name one, or listen on 127.0.0.1.",
                host=host,
            )
        return None
    tokens = Tokens.read(file)
    if readable_by_others(file):
        say("Others on this machine may read {path}. Allow only yourself: chmod 600", path=file)
    if not is_loopback(host) and not encrypted:
        say("Tokens are sent as they are, for all on the network to see. Use --tls-cert and --tls-key.")
    return tokens


def tls_files(certificate: Path | None, key: Path | None) -> tuple[Path | None, Path | None]:
    """Return the files for TLS, both or none.

    Raises:
        ConfigError: one is missing, or they do not belong together.
        NotFoundError: one does not exist.
    """
    if certificate is None and key is None:
        return None, None
    if certificate is None or key is None:
        raise ConfigError(
            "TLS needs a certificate and its key. One was given. Give --tls-cert and --tls-key."
        )
    for path in (certificate, key):
        if not path.is_file():
            raise NotFoundError("The file for TLS must exist. {path} does not. Check the path.", path=path)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            "The certificate and its key must be PEM files that belong together. They are not: {reason}. "
            "Check both.",
            reason=error,
        ) from error
    return certificate, key
