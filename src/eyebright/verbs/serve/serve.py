"""`serve`: models as a web service, until a signal ends it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyebright.errors import ConfigError
from eyebright.report.display import Displayed, ResultTable
from eyebright.runtime.context import progress_task, say, stage
from eyebright.runtime.machine import usable_cores
from eyebright.text.language import translate
from eyebright.verbs.serve.options import ServeConfig

if TYPE_CHECKING:
    from pathlib import Path

    from eyebright.sealed.model import SealedModel
    from eyebright.serving.hooks import ObserverMaker
    from eyebright.serving.registry import Registry
    from eyebright.serving.service import Service


@dataclass(frozen=True, repr=False)
class Served(Displayed):
    """The result of `serve`, when it has ended.

    Attributes:
        url: where it listened.
        requests: that were answered.
    """

    url: str
    requests: int

    def display(self) -> Iterator[str | ResultTable]:
        """Yield how much was answered."""
        yield translate("Answered {count:request|requests} at {url}.", count=self.requests, url=self.url)


@stage
def serve(config: ServeConfig) -> Served:
    """Serve models until SIGTERM or Ctrl-C; what was accepted is answered first.

    Args:
        config: which models, where, and for whom.

    Raises:
        NotFoundError: a model, the token file or a file for TLS does not exist.
        ModelError: a file is no sealed model, was modified, or does not answer as in training.
        ConfigError: the address is taken or needs a token file, or images are to be kept without a log.
    """
    # The web framework takes half a second to import, which no other command waits for.
    from eyebright.serving.request_log import RequestLog
    from eyebright.serving.security import tokens_for
    from eyebright.serving.server import Address, serve_until_stopped, tls_files
    from eyebright.serving.service import Service, ServiceSettings

    if config.keep_images and config.log is None:
        raise ConfigError("Images are kept beside a log. --keep-images was given without one. Add --log.")
    tokens = tokens_for(config.host, config.token_file, encrypted=config.tls_cert is not None)
    address = Address(config.host, config.port, *tls_files(config.tls_cert, config.tls_key))
    with address.listen() as bound:
        url = address.url(bound)
        registry = _registry(config)
        settings = ServiceSettings(
            deadline_seconds=config.deadline,
            max_body_bytes=config.max_body << 20,
            max_images=config.max_images,
            max_pixels=config.max_pixels,
            hosts=frozenset({config.host.casefold(), *map(str.casefold, config.allow_host)}),
            images_root=config.images_root,
        )
        service = Service(registry, settings, tokens, RequestLog(sys.stdout))
        requests = serve_until_stopped(service, address, bound, lambda: _say_started(service, url))
    return Served(url, requests)


def _say_started(service: Service, url: str) -> None:
    for slot in service.registry:
        model = slot.active
        say(
            "{name}: {engine}, about {rate} images/s, SHA-256 {version}…",
            name=slot.name,
            engine=model.predictor.engine,
            rate=f"{usable_cores() / model.seconds:.0f}",
            version=model.version,
        )
        if not model.proven:
            say(
                "No photograph of the run of {name} was found, so it was checked only that an image made up "
                "for it is answered twice alike.",
                name=slot.name,
            )
    say("Ready at {url}; Ctrl-C ends it.", url=url)


def _observers(folder: Path, images: int) -> ObserverMaker:
    """Return what records the answers of each model into a log of its own: another model begins another."""
    from eyebright.exporting.certificate.hashes import sha256
    from eyebright.monitoring.kept_images import KeptImages
    from eyebright.monitoring.live import LiveMonitor

    def observer(name: str, model: SealedModel) -> LiveMonitor:
        version = f"{name}-{sha256(model.path)[:12]}"
        kept = KeptImages(folder / f"{version}-images", images) if images else None
        return LiveMonitor(model, folder / f"{version}.parquet", kept)

    return observer


def _registry(config: ServeConfig) -> Registry:
    from eyebright.serving.registry import Registry, named_models
    from eyebright.serving.served_model import ServedModel

    paths = named_models(config.models)
    with progress_task("Loading models", total=len(paths) + (config.shadow is not None)) as task:
        models = {}
        for name, path in paths.items():
            models[name] = ServedModel(path)
            task.advance()
        registry = Registry(
            models, None if config.log is None else _observers(config.log, config.keep_images)
        )
        if config.shadow is not None:
            registry.get(None).set_shadow(ServedModel(config.shadow))
            task.advance()
    return registry
