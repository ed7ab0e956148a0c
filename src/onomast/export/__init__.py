"""A trained neural tagger as ONNX graphs, built node by node with `onnx.helper` from the saved tensors."""
