"""Telemetry: what the programs tell of their work, and how an OpenTelemetry receiver gets it where one is named."""
