"""Test support for users of the package."""
