"""Runs the pure protocol of `verto/` over one websocket, and hands its events to your code."""
