"""torch to ONNX to Keras to Akida, with proof at every stage."""

from qana.conversion.child import ConversionError
from qana.conversion.product import Conversion, LayerReport, MappingReport
from qana.conversion.target import AkidaTarget, NoTarget

__all__ = ["AkidaTarget", "Conversion", "ConversionError", "LayerReport", "MappingReport", "NoTarget"]
