"""A Hub model or a folder → a measured ONNX model that runs here."""
