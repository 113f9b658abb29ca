"""Access keys: personal access tokens, and client secrets of service accounts."""
