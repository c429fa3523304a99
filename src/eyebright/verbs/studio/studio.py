"""`studio`: a page in the browser on which images are labelled, and models trained, reviewed and tried."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from eyebright.report.display import Displayed, ResultTable
from eyebright.runtime.context import say, stage
from eyebright.text.language import translate
from eyebright.verbs.studio.options import StudioConfig

if TYPE_CHECKING:
    from pathlib import Path

    from eyebright.serving.security import Tokens
    from eyebright.verbs.studio.core import Studio

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
        DataError: a column of texts is not there, or the list of images to review is none.
        StorageError: the folder cannot be written.
    """
    # The web framework takes half a second to import, which no other command waits for.
    from eyebright.labelling.project import Project
    from eyebright.serving.server import Address, make_app_server, run_until_stopped, tls_files
    from eyebright.verbs.studio.app import create_app
    from eyebright.verbs.studio.core import Studio
    from eyebright.verbs.studio.framing import Framing

    tokens, token = _tokens(config)
    address = Address(config.host, config.port, *tls_files(config.tls_cert, config.tls_key))
    with address.listen() as bound:
        url = address.url(bound)
        hosts = frozenset({config.host.casefold(), *map(str.casefold, config.allow_host)})
        opened = Studio(
            Project(config.folder, config.text, multilabel=config.multilabel),
            tokens,
            hosts=hosts,
            open_service=bool(token),
        )
        if config.queue is not None:
            _take_list(opened, config.queue)
        server = make_app_server(
            create_app(opened, config.lang, Framing(config.frame_from, config.public_url)),
            _DRAIN_SECONDS,
            on_started=lambda: _say_started(url, token),
            on_ending=opened.jobs.stop,
            certificate=address.certificate,
            key=address.key,
        )
        try:
            run_until_stopped(server, bound)
            return StudioEnd(len(opened.project), len(opened.project.labelled()))
        finally:
            opened.close()


def _take_list(opened: Studio, path: Path) -> None:
    try:
        found = opened.take_review_list(path, path.absolute().parent)
    except BaseException:
        opened.close()
        raise
    say(
        "{count:image|images} of {path} to review, {missing} not in the folder.",
        count=len(found.items),
        path=path,
        missing=len(found.missing),
    )


def _say_started(url: str, token: str) -> None:
    if token:
        say("Open this address, which holds your token: {url}", url=f"{url}/?token={token}")
    else:
        say("Open {url}/?token=TOKEN with a token of the token file.", url=url)


def _tokens(config: StudioConfig) -> tuple[Tokens, str]:
    """Return who may do what, and the token to print, if it is a new one."""
    from eyebright.serving.security import Tokens, tokens_for

    known = tokens_for(config.host, config.token_file, encrypted=config.tls_cert is not None)
    if known is not None:
        return known, ""
    token = secrets.token_urlsafe()
    return Tokens({sha256(token.encode()).digest(): "admin"}), token
