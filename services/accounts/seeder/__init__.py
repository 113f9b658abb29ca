"""The process that adds sample data, and volume data for load tests: python -m accounts.seeder --help."""
