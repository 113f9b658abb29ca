"""PostgreSQL: the connection pool, the transaction, statements and errors."""
