"""Mail: the outbox, the queue and the languages."""
