"""ONNX to native `tf_keras` layers, because quantizeml quantizes nothing else."""

from qana.conversion.onnx_to_keras.importer import onnx_to_keras

__all__ = ["onnx_to_keras"]
