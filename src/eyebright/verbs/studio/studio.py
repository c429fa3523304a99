"""`studio`: a page in the browser on which images are labelled, and models trained, reviewed and tried."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from eyebright.errors import ConfigError
from eyebright.report.display import Displayed, ResultTable
from eyebright.runtime.context import say, stage
from eyebright.text.language import translate
from eyebright.verbs.studio.options import StudioConfig

if TYPE_CHECKING:
    from eyebright.serving.security import Tokens

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_DRAIN_SECONDS = 3


@dataclass(frozen=True, repr=False)
class StudioEnd(Displayed):
    """The result of `studio`, when it has ended.

    Attributes:
        images: that are in the folder.
        labelled: of these.
    """

    images: int
    labelled: int

    def display(self) -> Iterator[str | ResultTable]:
        """Yield how far the labelling is."""
        yield translate(
            "{labelled} of {count:image|images} labelled.", labelled=self.labelled, count=self.images
        )


@stage
def studio(config: StudioConfig) -> StudioEnd:
    """Show the page until SIGTERM or Ctrl-C.

    Args:
        config: which folder, where, and for whom.

    Raises:
        NotFoundError: the folder, the token file or a file for TLS does not exist.
        ConfigError: the address is taken or needs a token file, or another studio has the folder open.
        DataError: the images have several labels each.
        StorageError: the folder cannot be written.
    """
    # The web framework takes half a second to import, which no other command waits for.
    from eyebright.serving.server import Address
    from eyebright.studio.project import Project
    from eyebright.verbs.studio.app import create_app
    from eyebright.verbs.studio.core import Studio

    tokens, token = _tokens(config)
    address = Address(config.host, config.port, config.tls_cert, config.tls_key)
    with address.listen() as bound:
        url = address.url(bound)
        opened = Studio(Project(config.folder), tokens)
        hosts = frozenset({config.host.casefold(), *map(str.casefold, config.allow_host)})
        app = create_app(opened, hosts=hosts, lang=config.lang)

        import uvicorn

        class Server(uvicorn.Server):
            """Ends at a signal as its normal end: uvicorn would raise the signal again afterwards."""

            async def startup(self, sockets=None) -> None:  # type: ignore[no-untyped-def]
                """Listen, and tell where."""
                await super().startup(sockets)
                say(
                    "Open this address, which holds your token: {url}",
                    url=f"{url}/?token={token}" if token else url,
                )

            @contextmanager
            def capture_signals(self) -> Iterator[None]:
                """Let signals end the server while the block runs."""
                known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
                before = {number: signal.signal(number, self.handle_exit) for number in known}
                try:
                    yield
                finally:
                    for number, handler in before.items():
                        signal.signal(number, handler)

        options = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=_DRAIN_SECONDS,
            ssl_certfile=config.tls_cert,
            ssl_keyfile=config.tls_key,
        )
        try:
            asyncio.run(Server(options).serve(sockets=[bound]))
            return StudioEnd(len(opened.project), len(opened.project.labelled()))
        finally:
            opened.close()


def _tokens(config: StudioConfig) -> tuple[Tokens, str]:
    """Return who may do what, and the token to print, if it is a new one."""
    from eyebright.serving.security import Tokens, is_loopback

    if config.token_file is not None:
        return Tokens.read(config.token_file), ""
    if not is_loopback(config.host):
        raise ConfigError(
            "An address that others can reach needs tokens. {host} is one, and there is no --token-file. "
            "Name one, or listen on 127.0.0.1.",
            host=config.host,
        )
    token = secrets.token_urlsafe()
    return Tokens({sha256(token.encode()).digest(): "admin"}), token
