"""The station: everything that runs on the line. Never imports torch, onnx, export or calibration."""
