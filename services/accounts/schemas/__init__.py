"""Schemas: what requests and responses contain."""
