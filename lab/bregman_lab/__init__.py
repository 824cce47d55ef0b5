"""Measurements of decoders on real models: what docs/evidence.md tells, and how it was found."""
