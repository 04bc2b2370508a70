"""How events get to handlers, waiters and streams, and who owns the tasks: shared by the phone and the live feed."""
