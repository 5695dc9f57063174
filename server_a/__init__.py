"""The producer: writes users, SKUs, carts and one big list into Redis, then signals."""
