"""The work of `qana predict`: reads images, asks the program, writes what it says."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qana.command.answers import Answer, answer_table, csv_text, json_text
from qana.command.occlusion import covered, occlusion_map, write_map
from qana.console import console, progress
from qana.conversion.model_card import NAME, ModelCard, read_card
from qana.conversion.predict import predict_logits
from qana.dataset.pixels.decode import UndecodableError, decode
from qana.dataset.pixels.preprocessing import Preprocessing
from qana.errors import QanaError, listed
from qana.evaluation.calibration import softmax
from qana.evaluation.files import write_text_atomically
from qana.evaluation.views import orientations

MAX_BYTES = 2 << 30  # of the pixels of one call


def require_writable(options: Mapping[str, str | None]) -> None:
    """Refuse ``out=`` and ``map=`` that cannot be written, before any work.

    Raises:
        QanaError: a file in a folder that is not there, or ``out=`` with a table.
    """
    out, maps = options["out"], options["map"]
    if out is not None and (options["format"] == "table" or not Path(out).expanduser().parent.is_dir()):
        raise QanaError(
            f"nothing can be written to {out}",
            where=f"qana predict out={out} format={options['format']}",
            allowed="a file in a folder that exists, with format=json or format=csv",
            fix="make the folder, or choose the format",
        )
    if maps is not None and Path(maps).expanduser().is_file():
        raise QanaError(
            f"{maps} is a file",
            where=f"qana predict map={maps}",
            allowed="a folder, made where it is not there",
            fix="choose another name",
        )


def predict_images(
    program: Path, files: Sequence[Path], options: Mapping[str, str | None], reject: float | None
) -> None:
    """Answer about every file and show or write the answers; see `qana.command.predict`.

    Raises:
        QanaError: no model card, images that cannot be read, or too many of them for one call.
    """
    card = read_card(program.with_name(NAME))
    console.stderr = options["format"] != "table" and options["out"] is None  # stdout is for the data alone
    preprocessing = Preprocessing(**card.preprocessing)
    maps = options["map"]
    views = int(options["views"] or 1)
    _require_room(len(files), preprocessing, with_maps=maps is not None, views=views)
    images = _read(files, preprocessing)
    asked = images if maps is None else np.concatenate([images, *(covered(image) for image in images)])
    # In one call, because each starts a process.
    shown = asked if views == 1 else np.concatenate(list(orientations(asked)))
    said = predict_logits(program, shown, len(card.classes))
    logits = said.reshape(views, len(asked), -1).mean(0)
    probabilities = softmax(logits / (card.temperature or 1.0))
    answers = [_answer(file, row, card, reject) for file, row in zip(files, probabilities, strict=False)]
    _tell(answers, card, options)
    if maps is not None:
        _write_maps(Path(maps).expanduser(), files, images, probabilities)
    _tell_calibration(card, reject, sum(answer.rejected for answer in answers), len(answers), options)


def _require_room(count: int, preprocessing: Preprocessing, *, with_maps: bool, views: int) -> None:
    size = count * preprocessing.image_size**2 * 3 * (65 if with_maps else 1) * views
    if size > MAX_BYTES:
        raise QanaError(
            f"{count} images{' with maps' if with_maps else ''}{' in 8 views' if views > 1 else ''} take"
            f" {size / 2**30:.1f} GiB at once",
            where="qana predict MODEL IMAGE...",
            allowed=f"at most {MAX_BYTES / 2**30:.0f} GiB of pixels in one call",
            fix="name fewer images, or leave map= or views= out",
        )


def _read(files: Sequence[Path], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """(N, S, S, 3) uint8, prepared as in training."""
    side = preprocessing.image_size
    images, wrong = np.empty((len(files), side, side, 3), dtype=np.uint8), []
    with progress("read images", total=len(files)) as advance:
        for row, file in enumerate(files):
            try:
                images[row] = decode(file.read_bytes(), preprocessing)
            except (UndecodableError, OSError) as error:
                wrong.append(f"{file} ({error})")
            advance(1)
    if wrong:
        raise QanaError(
            f"{len(wrong)} of {len(files)} images cannot be read: {listed(wrong)}",
            where="qana predict MODEL IMAGE...",
            allowed="complete JPEG, PNG, BMP, TIFF or WEBP files",
            fix="leave them out, or fetch them again",
        )
    return images


def _answer(file: Path, row: NDArray[np.float64], card: ModelCard, reject: float | None) -> Answer:
    best = int(row.argmax())
    confidence = float(row[best])
    return Answer(
        image=str(file),
        probabilities={name: float(share) for name, share in zip(card.classes, row, strict=True)},
        predicted=card.classes[best],
        confidence=confidence,
        rejected=reject is not None and confidence < reject,
    )


def _tell(answers: Sequence[Answer], card: ModelCard, options: Mapping[str, str | None]) -> None:
    if options["format"] == "table":
        console.print(answer_table(answers), markup=False)
        return
    text = json_text(answers, card) if options["format"] == "json" else csv_text(answers, card.classes)
    if options["out"] is None:
        sys.stdout.write(text)
    else:
        write_text_atomically(Path(options["out"]).expanduser(), text)


def _write_maps(
    folder: Path, files: Sequence[Path], images: NDArray[np.uint8], probabilities: NDArray[np.float64]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    per_image = (len(probabilities) - len(images)) // len(images)
    for row, (file, image) in enumerate(zip(files, images, strict=True)):
        first = len(images) + row * per_image
        best = int(probabilities[row].argmax())
        falls = occlusion_map(probabilities[row, best], probabilities[first : first + per_image, best])
        # The number keeps two files of one name in two folders apart.
        write_map(folder / f"{row:05d}-{file.stem}.map.png", image, falls)


def _tell_calibration(
    card: ModelCard, reject: float | None, rejected: int, asked: int, options: Mapping[str, str | None]
) -> None:
    if options["format"] != "table" and options["out"] is None:
        return  # the terminal belongs to the data
    facts = card.calibration
    console.print(
        f"confidence: temperature {card.temperature:.3f}, expected calibration error on {facts['images']}"
        f" validation images {facts['ece_before']:.3f} before and {facts['ece_after']:.3f} after"
        if card.temperature is not None
        else "confidence: not calibrated",
        highlight=False,
        soft_wrap=True,
    )
    if reject is not None:
        threshold, share, accuracy = max(row for row in facts["coverage"] if row[0] <= reject)
        told = "none is right or wrong" if accuracy is None else f"{100 * accuracy:.1f} % of these are right"
        console.print(
            f"rejected: {rejected} of {asked}; at confidence {threshold:.2f} the program answers"
            f" {100 * share:.1f} % of the validation images, and {told}",
            highlight=False,
            soft_wrap=True,
        )
    console.print("research use only, not a medical device", highlight=False)
