"""The converted program as an MLflow model: photographs go in, probabilities come out.

`mlflow models serve` answers HTTP requests with it, in the environment of this project.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc import save_model
from mlflow.types import ColSpec, DataType, Schema
from PIL import Image

from qana.conversion.model_card import NAME as CARD
from qana.conversion.model_card import ModelCard

FOLDER = "served_model"
PROGRAM = "model.fbz"
CODE = Path(__file__).with_name("served_program.py")
# What the model needs to run; the lock file of the project has the whole environment.
PACKAGES = ("akida", "mlflow", "numpy", "pandas", "pillow")


def save_served_model(folder: Path, card: ModelCard) -> Path:
    """Write the MLflow model beside the program and its card.

    One column goes in, ``image``: the bytes of a photograph's file (base64 in JSON). What comes out is a
    probability per class after temperature scaling, the class ``predicted`` and its ``confidence``.

    Args:
        folder: of the run, with ``model.fbz`` and ``model.json``.
        card: of the program.

    Returns:
        The folder of the model.
    """
    path = folder / FOLDER
    with _quiet():
        save_model(
            path,
            python_model=str(CODE),
            artifacts={"program": str(folder / PROGRAM), "card": str(folder / CARD)},
            signature=signature(card),
            input_example=pd.DataFrame({"image": [_plain_photograph(int(card.preprocessing["image_size"]))]}),
            pip_requirements=[f"qana=={version('qana')}", *(f"{name}=={version(name)}" for name in PACKAGES)],
            metadata={"run": card.run, "target": card.target, "use": "research only, not a medical device"},
        )
    return path


def signature(card: ModelCard) -> ModelSignature:
    """The columns that go in and come out."""
    shares = [ColSpec(DataType.double, name) for name in (*card.classes, "confidence")]
    predicted = ColSpec(DataType.string, "predicted")
    outputs = Schema([*shares[:-1], predicted, shares[-1]])
    return ModelSignature(Schema([ColSpec(DataType.binary, "image")]), outputs)


def _plain_photograph(side: int) -> bytes:
    """A PNG of one colour: an example of the format that shows nobody's skin."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (200, 150, 130)).save(buffer, format="PNG")
    return buffer.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """The terminal belongs to the progress bars: MLflow tells there that it looks at the example."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
