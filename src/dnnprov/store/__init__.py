"""The provenance database: its schema, and how journals get into it exactly once."""
