"""The Verto protocol as ZIWO's FreeSWITCH speaks it, pure: no asyncio, no sockets, no clock, no randomness.

Time comes in as a float (seconds since the epoch), ids come in as arguments, and what is to be done comes out as
data (`effects`). `phone/` runs it over a websocket; `simulator/` uses the same frames from the other side.
"""
