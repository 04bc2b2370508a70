"""The pytest plugin (entry point `ziwo_async`)."""
