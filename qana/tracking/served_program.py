"""What an MLflow server runs to answer with a converted program; copied into every model that is saved.

`qana.tracking.served_model` says what goes in and out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray

from qana.conversion.model_card import ModelCard, read_card
from qana.conversion.predict import predict_logits
from qana.dataset.pixels.decode import UndecodableError, decode
from qana.dataset.pixels.preprocessing import Preprocessing
from qana.errors import QanaError, listed
from qana.evaluation.calibration import softmax


class ServedProgram(PythonModel):
    """Answers with the program of a run; see `qana.tracking.served_model` for what goes in and out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Find the program and read how photographs are prepared for it."""
        self._program = Path(context.artifacts["program"])
        self._card = read_card(Path(context.artifacts["card"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Answer about photographs.

        Args:
            context: not used; the files were found in `load_context`.
            model_input: one row per photograph, column `image` with the bytes of the file.
            params: none are known.

        Returns:
            One row per photograph: a probability per class, ``predicted`` and ``confidence``.

        Raises:
            MlflowException: photographs that cannot be read, by their rows (HTTP 400), or a program that the
                installed SDK does not run.
        """
        images = _decoded(model_input["image"].tolist(), Preprocessing(**self._card.preprocessing))
        try:
            logits = predict_logits(self._program, images, len(self._card.classes))
        except QanaError as error:
            raise MlflowException(error.what) from error
        return _answers(logits, self._card)


def _decoded(files: list[bytes], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    side = preprocessing.image_size
    images, wrong = np.empty((len(files), side, side, 3), dtype=np.uint8), []
    for row, content in enumerate(files):
        try:
            images[row] = decode(content, preprocessing)
        except UndecodableError as error:
            wrong.append(f"row {row} ({error})")
    if wrong:
        raise MlflowException(
            f"{len(wrong)} of {len(files)} images cannot be read: {listed(wrong)};"
            " allowed are complete JPEG, PNG, BMP, TIFF or WEBP files",
            error_code=INVALID_PARAMETER_VALUE,
        )
    return images


def _answers(logits: NDArray[np.float32], card: ModelCard) -> pd.DataFrame:
    probabilities = softmax(logits / (card.temperature or 1.0))
    table = pd.DataFrame(probabilities, columns=list(card.classes))
    table["predicted"] = [card.classes[best] for best in probabilities.argmax(axis=1)]
    table["confidence"] = probabilities.max(axis=1)
    return table


set_model(ServedProgram())
