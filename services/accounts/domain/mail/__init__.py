"""Mail: the outbox that requests write to, the queue that the worker reads, and the choice of a language."""
