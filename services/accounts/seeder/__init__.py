"""Sample data, and volume data for load tests: ``python -m accounts.seeder --help``."""
