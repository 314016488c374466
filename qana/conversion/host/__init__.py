"""What a network costs on this host: timing, energy counters, and ONNX Runtime in a process of its own."""
