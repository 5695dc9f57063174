"""`server-a check`: the endpoint, and how it is connected to the consumer's."""
