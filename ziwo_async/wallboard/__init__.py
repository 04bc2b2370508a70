"""The wallboard: one page on this machine that shows agents, queues and calls as they are now."""
