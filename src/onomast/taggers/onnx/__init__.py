"""Exported neural taggers, run by onnxruntime: no PyTorch."""
