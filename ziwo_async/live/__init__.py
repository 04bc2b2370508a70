"""The live feed: ZIWO's live socket as typed snapshots, and their differences as events (extra `live`)."""
