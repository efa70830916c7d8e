"""ONNX export: a quantized model as a graph of standard operators, for other runtimes."""

from tervit_np.deploy.onnx_file.writing import export_onnx

__all__ = ["export_onnx"]
