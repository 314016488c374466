"""What an ONNX file from elsewhere says of itself, before it is converted."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from qana.errors import QanaError


@dataclass(frozen=True)
class OnnxFile:
    """A network in a file.

    Attributes:
        path: of the file.
        sha256: of its bytes (hex); external data are not covered.
        classes: logits of its only output; None where the file does not fix their number.
        parameters: floating-point numbers that it stores.
    """

    path: Path
    sha256: str
    classes: int | None
    parameters: int

    @classmethod
    def read(cls, path: Path) -> OnnxFile:
        """Read a file.

        Raises:
            QanaError: no such file, or not an ONNX model.
        """
        import onnx  # only where a file is converted

        try:
            content = path.read_bytes()
            model = onnx.load_model_from_string(content)
        except Exception as error:
            # protobuf has errors of its own for every kind of damage
            raise _unreadable(path, " ".join(str(error).split())[:200]) from error
        if not model.graph.node:
            raise _unreadable(path, "it holds no graph")
        floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
        return cls(
            path=path,
            sha256=hashlib.sha256(content).hexdigest(),
            classes=_last_length(model.graph.output),
            parameters=sum(math.prod(i.dims) for i in model.graph.initializer if i.data_type in floats),
        )


def _unreadable(path: Path, reason: str) -> QanaError:
    return QanaError(
        f"the ONNX file cannot be read: {reason}",
        where=f"onnx = {path}",
        allowed="an ONNX model, as torch.onnx.export or tf2onnx write it",
        fix="check the path, or export the network again",
    )


def _last_length(outputs: object) -> int | None:
    """Length of the last axis of the only output."""
    dims = [list(output.type.tensor_type.shape.dim) for output in outputs]  # type: ignore[attr-defined]
    if len(dims) != 1 or not dims[0]:
        return None
    return int(dims[0][-1].dim_value) or None
