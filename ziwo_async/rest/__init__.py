"""The REST layer: one transport, and one small file for each resource."""
