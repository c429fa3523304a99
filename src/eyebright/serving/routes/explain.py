"""Heat maps: which parts of an image the prediction is based on, as a PNG picture."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from eyebright.explaining.drawing import draw, require_class
from eyebright.serving.bodies import declared_bytes, read_images
from eyebright.serving.errors import InvalidBodyError
from eyebright.serving.problems import Responses, problems
from eyebright.serving.security import allow
from eyebright.serving.served_model import ServedModel
from eyebright.serving.service import Service

router = APIRouter(dependencies=[Depends(allow("view"))])

_PICTURE_PX = 1024
_DOCUMENTED: Responses = {200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {"required": True, "content": {"image/*": _BINARY, "application/octet-stream": _BINARY}}
}

ClassName = Annotated[
    str | None, Query(alias="class", description="Class to explain; the predicted one without.")
]


@router.post(
    "/models/{name}/explain",
    summary="Explain a model's prediction",
    response_class=Response,
    responses=_DOCUMENTED | problems(408, 429, 501, 503),
    openapi_extra=_BODY,
)
async def explain(request: Request, name: str, class_name: ClassName = None) -> Response:
    """Return the image with a heat map over it; headers have the class, its probability and the method."""
    service: Service = request.app.state.service
    model = service.registry.get(name).active
    require_class(model.sealed, class_name)
    with service.room_for(declared_bytes(request.scope["headers"])):
        images = await read_images(request, service)
        if len(images) != 1:
            raise InvalidBodyError("Heat maps are drawn of one image at a time. Got several. Send one.")
        content = images[0].content
        service.check_pixels(content)
        return await service.workers.run(partial(_drawn, model, content, class_name))


def _drawn(model: ServedModel, content: bytes, class_name: str | None) -> Response:
    how = model.explainer
    with model.explaining if how.method == "gradcam" else nullcontext():  # its hooks are the module's
        drawn = draw(model.sealed, how, content, class_name, _PICTURE_PX)
    headers = {
        "X-Eyebright-Class": drawn.label.encode("ascii", "backslashreplace").decode(),
        "X-Eyebright-Probability": f"{drawn.probability:.6f}",
        "X-Eyebright-Method": how.method,
    }
    return Response(drawn.png(), media_type="image/png", headers=headers)
