"""`demo`: training on real photographs of woven textile, with and without defects."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from eyebright.errors import MissingExtraError
from eyebright.runs.run import Run
from eyebright.runtime.context import stage
from eyebright.runtime.install import install_command
from eyebright.verbs.demo.options import DEMO_RUN, DemoConfig
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train


@stage
def demo(config: DemoConfig) -> Run:
    """Train on the textile images of the package conformal-clip-data (Megahed and Chen, MIT licence).

    Raises:
        MissingExtraError: the package is not installed.
    """
    data = demo_images()
    overwrite = config.overwrite or config.out == DEMO_RUN
    return train(
        TrainConfig(
            data=data, val=0.25, seed=config.seed, out=config.out, overwrite=overwrite, lang=config.lang
        )
    )


def demo_images() -> Path:
    """Return the folder of class folders with the demo's 2,000 images.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        package = Path(str(files("conformal_clip_data")))
    except ModuleNotFoundError:
        raise MissingExtraError(
            "The demo needs the package conformal-clip-data, which contains its images. It is not "
            "installed. Run: {command}",
            command=install_command("demo"),
        ) from None
    return package / "data" / "textile_images" / "simulated"
