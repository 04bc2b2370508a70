"""What servers of pages share: who may ask, bodies that are bounded, and streams of server-sent events."""
