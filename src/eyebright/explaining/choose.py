"""Choose the method that explains a model."""

from __future__ import annotations

from typing import Literal

from eyebright.errors import MissingExtraError
from eyebright.explaining.anomaly_map import AnomalyMap
from eyebright.explaining.base import Explainer, Method, NoHeatMapError
from eyebright.explaining.exact import Exact
from eyebright.explaining.rollout import Rollout
from eyebright.runtime.install import install_command
from eyebright.sealed.model import SealedModel


def explainer(model: SealedModel, method: Method | Literal["auto"] = "auto") -> Explainer:
    """Return an explainer; `auto` takes the exact method where possible, else Grad-CAM.

    Raises:
        NoHeatMapError: the method has no heat map for this model.
        MissingExtraError: Grad-CAM needs PyTorch and captum, and they are not installed.
    """
    if model.has_anomaly_map:
        if method not in ("auto", "exact"):
            raise NoHeatMapError(
                "The map of anomalies is an output of this model. Got --method {method}, which explains "
                "classifiers. Use --method exact.",
                method=method,
            )
        return AnomalyMap(model)
    sealed = model.graph()
    interpolation = model.card.preprocessing.interpolation
    if method == "rollout":
        return Rollout(sealed, model.size, interpolation)
    if method != "gradcam":
        try:
            return Exact(sealed)
        except NoHeatMapError:
            if method == "exact":
                raise
    try:
        from eyebright.explaining.gradcam import GradCam
    except ImportError as error:
        raise MissingExtraError(
            "Grad-CAM needs PyTorch and captum. {package} is not installed. Run: {command}",
            package=error.name,
            command=install_command("explain"),
        ) from error
    return GradCam(sealed, model.size, interpolation)
