"""Foreign ONNX files, made fit for the graph contract: read, fixed in shape, folded, converted, rewired, halved."""
