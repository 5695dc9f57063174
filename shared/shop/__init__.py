"""The shop as both programs read and show it: users, SKUs, carts."""
