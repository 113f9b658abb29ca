"""The process ``api``: HTTP, and nothing else."""
