"""What `check` finds out about an endpoint: server, permissions, memory, certificate, round trip, and problems."""
