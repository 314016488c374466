"""What is wrong with an ONNX file as a whole: operator version, inputs, image size, outputs."""

from __future__ import annotations

import onnx
import onnx.checker
from onnx import TensorProto

from qana.conversion.onnx_to_keras.fault import Fault
from qana.errors import QanaError

OPSETS = range(7, 24)  # read and compared with ONNX Runtime 1.23, which knows up to 23
IMAGE_CHANNELS = (1, 3)  # what the input layer of both generations takes


def opset(model: onnx.ModelProto) -> int:
    """Version of the ONNX operators; 0 where the file names none."""
    return next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)


def opset_faults(model: onnx.ModelProto) -> list[Fault]:
    """An operator version that was never compared with ONNX Runtime."""
    if opset(model) in OPSETS:
        return []
    return [
        Fault(
            node="opset_import",
            operation="",
            scope="",
            found=f"opset {opset(model)}",
            allowed=f"opset {OPSETS[0]} to {OPSETS[-1]}",
            rewrite="export with opset_version=17, or use onnx.version_converter.convert_version(model, 17)",
        )
    ]


def require_valid(model: onnx.ModelProto) -> None:
    """Refuse a file that breaks ONNX's own rules."""
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise _not_a_network(" ".join(str(error).split())[:300]) from error


def _not_a_network(why: str) -> QanaError:
    return QanaError(
        f"the ONNX file is not a valid network: {why}",
        where="onnx",
        allowed="a file that onnx.checker.check_model accepts, with one image input",
        fix="export it again, with its weights inside the file",
    )


def image_input(graph: onnx.GraphProto, constants: set[str]) -> tuple[onnx.ValueInfoProto, list[Fault]]:
    """The image, and what is wrong with the inputs."""
    inputs = [value for value in graph.input if value.name not in constants]
    if not inputs:
        raise _not_a_network("it has no input")
    faults = [
        Fault(
            node=extra.name,
            operation="",
            scope="",
            found="a second input",
            allowed="one input, the image",
            rewrite="make it a constant of the network",
        )
        for extra in inputs[1:]
    ]
    kind = inputs[0].type.tensor_type.elem_type
    if kind not in (TensorProto.FLOAT, TensorProto.UINT8):
        faults.append(
            Fault(
                node=inputs[0].name,
                operation="",
                scope="",
                found=f"an input of type {TensorProto.DataType.Name(kind).lower()}",
                allowed="float (32 bits) or uint8",
                rewrite="export the network in float32 (torch: network.float())",
            )
        )
    return inputs[0], faults


def image_shape(
    image: onnx.ValueInfoProto,
) -> tuple[tuple[int, int, int] | None, bool, list[Fault]]:
    """(H, W, C), whether the channels come last, and what is wrong."""
    dims = image.type.tensor_type.shape.dim
    sizes = [dim.dim_value for dim in dims]  # 0 where symbolic
    words = [str(dim.dim_value or dim.dim_param or "?") for dim in dims]
    if len(sizes) == 4 and all(sizes[1:]):
        if sizes[1] in IMAGE_CHANNELS:
            return (sizes[2], sizes[3], sizes[1]), False, []
        if sizes[3] in IMAGE_CHANNELS:
            return (sizes[1], sizes[2], sizes[3]), True, []
    fault = Fault(
        node=image.name,
        operation="",
        scope="",
        found=f"an input of shape ({', '.join(words)})",
        allowed="(N, 3, H, W) or (N, H, W, 3) with H and W as numbers; only N may be open",
        rewrite="export for one image size; for a file that exists: python -m "
        f"onnxruntime.tools.make_dynamic_shape_fixed --input_name {image.name} --input_shape 1,3,H,W IN OUT",
    )
    return None, False, [fault]


def output_faults(graph: onnx.GraphProto) -> list[Fault]:
    """Any number of outputs but one."""
    if len(graph.output) == 1:
        return []
    names = ", ".join(output.name for output in graph.output)
    return [
        Fault(
            node=names,
            operation="",
            scope="",
            found=f"{len(graph.output)} outputs",
            allowed="one output (N, classes)",
            rewrite="export the branch that gives the logits alone",
        )
    ]
