"""Asks a converted program about images, in a child process."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qana.console import progress
from qana.conversion.child import Limits, Message, run_child

BATCH = 64
LIMITS = Limits(timeout_s=24 * 3600.0, memory_gib=16.0)  # a folder of any size; a runaway still ends


def predict_logits(program: Path, images: NDArray[np.uint8], classes: int) -> NDArray[np.float32]:
    """Logits of a ``.fbz`` program, from Akida's software backend.

    Args:
        program: the file.
        images: (N, H, W, 3) uint8, RGB, as training preprocessed them.
        classes: logits per image.

    Returns:
        (N, classes).

    Raises:
        QanaError: the file is no program of this SDK, or takes other images.
        ConversionError: the SDK crashed.
    """
    with tempfile.TemporaryDirectory(prefix="qana-predict-") as scratch:
        job = Path(scratch)
        np.save(job / "images.npy", images)
        asked = {"program": str(program.resolve()), "classes": classes, "batch_size": BATCH}
        (job / "job.json").write_text(json.dumps(asked))
        with progress("the program answers", total=len(images)) as advance:

            def heard(message: Message) -> None:
                advance(int(message["images"]))

            run_child(
                "qana.conversion.predict_job",
                job,
                limits=LIMITS,
                log=job / "predict.log",
                on_message=heard,
            )
        return np.load(job / "logits.npy")
