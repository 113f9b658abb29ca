"""Benchmarks of the service, on real processes. Not part of the image."""
