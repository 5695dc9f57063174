"""What `check` finds out about an endpoint: server, rights, memory, certificate, round trip, and what is wrong."""
