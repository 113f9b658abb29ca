"""The domain: rules and queries, independent of HTTP."""
