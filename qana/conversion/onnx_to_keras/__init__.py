"""ONNX to native `tf_keras` layers, because quantizeml quantizes nothing else.

``read_graph`` (constants folded) -> ``canonical`` -> ``fold_pads``, ``fold_affine`` -> ``operations`` (a plan
of layers, or every fault) -> ``importer`` (Keras). Only the last step imports TensorFlow.
"""

from qana.conversion.onnx_to_keras.importer import onnx_to_keras, plan_layers
from qana.conversion.onnx_to_keras.offences import graph_offences

__all__ = ["graph_offences", "onnx_to_keras", "plan_layers"]
