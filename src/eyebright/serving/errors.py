"""What a service refuses, by the status of HTTP that says so."""

from __future__ import annotations

from typing import ClassVar

from eyebright.errors import EyebrightError


class ServiceError(EyebrightError):
    """A request that is refused; each subclass has its status.

    Attributes:
        status: of the response.
        retry_after_seconds: when to ask again, where that helps.
    """

    status: ClassVar[int] = 400
    retry_after_seconds: int | None = None


class UnauthorisedError(ServiceError):
    """There is no token, or a wrong one."""

    status = 401


class ForbiddenError(ServiceError):
    """The token's role may not do this, or another page made the browser ask."""

    status = 403


class UnknownModelError(ServiceError):
    """There is no model, or no version of it, with that name."""

    status = 404


class ConflictError(ServiceError):
    """What is asked for does not fit the state of the service."""

    status = 409


class SlowBodyError(ServiceError):
    """The body did not arrive in time."""

    status = 408


class TooLargeError(ServiceError):
    """The body, an image or their number is larger than the service takes."""

    status = 413


class MediaTypeError(ServiceError):
    """The body is of a type that the service does not take."""

    status = 415


class MisdirectedError(ServiceError):
    """The request names a host that the service does not answer for."""

    status = 421


class InvalidBodyError(ServiceError):
    """The body is of the right type, but cannot be used."""

    status = 422


class OverloadedError(ServiceError):
    """There is more to do than can be answered in time."""

    status = 429


class UnavailableError(ServiceError):
    """The service is ending, or its engine does not answer."""

    status = 503
