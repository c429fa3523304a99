"""What compression brought on this machine, said plainly, also where it brought nothing."""

from __future__ import annotations

from dataclasses import replace

import onnx

from eyebright.exporting.base import Format, Source
from eyebright.exporting.certificate.certificate import Certificate, Reason
from eyebright.exporting.formats.offline_page import OfflinePage


def original_bytes(target: Format, source: Source) -> int:
    """The size of what a compressed export is compared with: the sealed model, or the page that it makes."""
    if not isinstance(target, OfflinePage):
        return source.model.path.stat().st_size
    whole = replace(source, graph=onnx.load(source.model.path), precision="fp32")
    return len(target.text(whole).encode())


def gain(certificate: Certificate, original_bytes: int) -> Reason:
    """Whether a compressed export is smaller and faster than its original.

    Args:
        certificate: of the export.
        original_bytes: of :func:`original_bytes`.
    """
    speed = certificate.speed
    values = {
        "megabytes": f"{certificate.size_bytes / 1e6:.2f}",
        "megabytes_before": f"{original_bytes / 1e6:.2f}",
        "milliseconds": f"{speed.latency_ms:.1f}",
        "milliseconds_before": f"{speed.latency_original_ms:.1f}",
    }
    smaller = certificate.size_bytes < original_bytes
    faster = speed.latency_ms < speed.latency_original_ms
    if smaller and faster:
        return Reason(
            "Smaller and faster on this machine: {megabytes} MB (original: {megabytes_before} MB), "
            "and {milliseconds} ms per image on one thread (original: {milliseconds_before} ms).",
            values,
        )
    if smaller:
        return Reason(
            "Smaller, but NOT faster on this machine: {megabytes} MB (original: {megabytes_before} "
            "MB), and {milliseconds} ms per image on one thread (original: {milliseconds_before} ms).",
            values,
        )
    if faster:
        return Reason(
            "Faster on this machine, but not smaller: {megabytes} MB (original {megabytes_before} "
            "MB), {milliseconds} ms per image on one thread (original {milliseconds_before} ms).",
            values,
        )
    return Reason(
        "NEITHER smaller NOR faster on this machine: {megabytes} MB (original: {megabytes_before} "
        "MB), and {milliseconds} ms per image on one thread (original: {milliseconds_before} ms).",
        values,
    )
