"""Answers of the REST API, typed: one file for each subject. The public ones can be imported from `ziwo_async`."""
