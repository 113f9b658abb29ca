"""The worker process: sends queued mail and deletes expired data."""
