"""What the models of REST answers and of the live feed share: how they are read, and what they never show."""
