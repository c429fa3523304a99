"""Who may do what: tokens with roles, and requests that a browser was led into by another page."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from starlette.requests import Request

from eyebright.errors import ConfigError, NotFoundError
from eyebright.runtime.context import say
from eyebright.runtime.stored import read_stored, reason_of
from eyebright.serving.errors import ForbiddenError, MisdirectedError, UnauthorisedError

Role: TypeAlias = Literal["view", "label", "admin"]
_ROLES: tuple[Role, ...] = get_args(Role)
_SHORTEST_TOKEN = 16
_LOCAL_NAME = "localhost"


@dataclass(frozen=True)
class Tokens:
    """The tokens of a service; only their hashes are kept.

    Attributes:
        roles: by the SHA-256 of the token.
    """

    roles: Mapping[bytes, Role]

    @classmethod
    def read(cls, path: Path) -> Tokens:
        """Read a file with a token a line, or ROLE TOKEN; `#` begins a comment. Without a role it is admin.

        Raises:
            NotFoundError: the file does not exist.
            ConfigError: it cannot be read, holds no token, or one that can be guessed.
        """
        try:
            lines = read_stored(path).decode("utf-8").splitlines()
        except FileNotFoundError:
            raise NotFoundError(
                "The token file must exist. {path} does not. Check the path.", path=path
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigError(
                "The token file must be readable text. {path}: {reason}. Check the file.",
                path=path,
                reason=reason_of(error),
            ) from None
        found = [_role(words, path) for line in lines if (words := line.partition("#")[0].split())]
        if not found:
            raise ConfigError(
                "The token file must hold a token a line, or ROLE TOKEN. {path} holds none. Write one, such "
                "as "
                'the output of: python -c "import secrets; print(secrets.token_urlsafe())"',
                path=path,
            )
        return cls({_digest(token): role for role, token in found})

    def role(self, token: str) -> Role | None:
        """Return the role of a token; None of one that is not known."""
        digest, found = _digest(token), None
        for known, role in self.roles.items():
            if hmac.compare_digest(known, digest):
                found = role
        return found


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


def _role(words: list[str], path: Path) -> tuple[Role, str]:
    role, token = words if len(words) == 2 else ("admin", words[0])
    if len(words) > 2 or role not in _ROLES:
        raise ConfigError(
            "Each line of the token file must be a token, or ROLE TOKEN with the role {roles}. {path} has a "
            "line of another form. Correct it.",
            roles=", ".join(_ROLES),
            path=path,
        )
    if len(token) < _SHORTEST_TOKEN:
        raise ConfigError(
            "A token must have at least {count} characters, so that it cannot be guessed. {path} has a "
            "shorter one. Replace it.",
            count=_SHORTEST_TOKEN,
            path=path,
        )
    return role, token


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def allow(role: Role) -> Callable[[Request], Coroutine[Any, Any, None]]:
    """Return a dependency that refuses requests whose token has a lesser role.

    Without tokens, everybody on this machine may view; label and admin need a token.
    """

    async def check(request: Request) -> None:
        authorise(request.app.state.service.tokens, request.headers.get("authorization"), role)

    return check


def authorise(tokens: Tokens | None, authorisation: str | None, role: Role) -> None:
    """Refuse a request whose token does not have a role, or one above it.

    Args:
        tokens: of the service; None where it has none.
        authorisation: the header of that name.
        role: that is needed.

    Raises:
        UnauthorisedError: there is no token, or a wrong one.
        ForbiddenError: the token has a lesser role.
    """
    if tokens is None:
        if role == "view":
            return
        raise ForbiddenError(
            "What changes the service needs a token. This service has none. Start it with --token-file."
        )
    token = _token(authorisation)
    if token is None:
        raise UnauthorisedError(
            "The request must carry a token. It has none. Send the header: Authorization: Bearer TOKEN"
        )
    found = tokens.role(token)
    if found is None:
        raise UnauthorisedError("The token must be one of the token file. This one is not. Check it.")
    if _ROLES.index(found) < _ROLES.index(role):
        raise ForbiddenError(
            "This needs a token with the role {role}. The token has the role {found}. Use another one.",
            role=role,
            found=found,
        )


def _token(authorisation: str | None) -> str | None:
    """Return the token of `Bearer TOKEN`, or of `Basic` the password, which Label Studio can send."""
    scheme, _, value = (authorisation or "").partition(" ")
    if scheme.casefold() == "bearer":
        return value.strip() or None
    if scheme.casefold() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2] or None
    except (binascii.Error, ValueError):
        return None


def check_host(host: str | None, allowed: frozenset[str]) -> None:
    """Refuse a request by its header Host, with which a page elsewhere could reach this machine.

    Such a page uses a name of its own that leads here (DNS rebinding). An address is no such name.

    Args:
        host: the header.
        allowed: further names, in lower case.

    Raises:
        MisdirectedError: the host is none that the service answers for.
    """
    name = _host_name(host or "")
    if name in allowed or name == _LOCAL_NAME or _is_address(name):
        return
    raise MisdirectedError(
        "The header Host must name this service. It names {host}. Start the service with --allow-host "
        "{host}.",
        host=name or "-",
    )


def check_origin(origin: str | None, host: str | None) -> None:
    """Refuse a request that a page of another origin made a browser send.

    Raises:
        ForbiddenError: it did.
    """
    if origin is not None and origin.partition("://")[2].casefold() != (host or "").casefold():
        raise ForbiddenError(
            "Requests from pages must come from a page of this service. This one comes from {origin}. Send "
            "it from a program.",
            origin=origin,
        )


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on can be reached from this machine only."""
    return host == _LOCAL_NAME or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def readable_by_others(path: Path) -> bool:
    """Return whether other people on this machine may read a file."""
    return os.name == "posix" and bool(path.stat().st_mode & 0o044)


def _host_name(host: str) -> str:
    """Return the name or address in a header Host, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].casefold()
    return host.rpartition(":")[0].casefold() if host.count(":") == 1 else host.casefold()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
