"""One thing in an ONNX graph that cannot be taken over as it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What a node asks for, what there is instead, and what to do.

    Attributes:
        node: name of the node in the file, or of the value that the fault is about.
        operation: ONNX operator of the node; empty for a fault of the graph itself.
        scope: path of the torch module that the node came from; empty where the file does not say.
        found: what the node asks for, with its values.
        allowed: what would have been taken over.
        rewrite: what to change in the network, concretely.
    """

    node: str
    operation: str
    scope: str
    found: str
    allowed: str
    rewrite: str

    def __str__(self) -> str:
        if not self.operation:
            return f"{self.node}: {self.found}"
        module = f" in module {self.scope}" if self.scope else ""
        return f"{self.node} ({self.operation}){module}: {self.found}"
