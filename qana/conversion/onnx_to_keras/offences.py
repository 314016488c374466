"""Everything in an ONNX network that a generation of Akida does not run, before anything heavy starts."""

from __future__ import annotations

import onnx

from qana.conversion.capabilities.offence import NETWORK, Offence
from qana.conversion.onnx_to_keras.chip_rules import chip_faults
from qana.conversion.onnx_to_keras.fault import Fault
from qana.conversion.onnx_to_keras.importer import plan_layers


def graph_offences(model: onnx.ModelProto, generation: int) -> list[Offence]:
    """List all that keeps a network off the chip: what Keras cannot rebuild, then what the chip cannot run.

    Needs neither TensorFlow nor the SDK.

    Args:
        model: float network with one image input.
        generation: Akida generation, 1 or 2.

    Returns:
        One entry per fault, with the torch module where the file names it, and the node. Empty for a network
        that may be converted.

    Raises:
        QanaError: the file is not a valid ONNX network at all.
    """
    plan = plan_layers(model, generation=generation)
    return [_offence(fault) for fault in (*plan.faults, *chip_faults(plan, generation))]


def _offence(fault: Fault) -> Offence:
    where = f"{fault.node}: " if not fault.operation else f"node {fault.node} ({fault.operation}): "
    module = fault.scope if fault.operation else NETWORK
    return Offence(
        module=module or fault.node, found=where + fault.found, rewrite=fault.rewrite, allowed=fault.allowed
    )
