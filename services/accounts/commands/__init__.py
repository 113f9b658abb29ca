"""One-shot commands: ``python -m accounts.commands.admin`` and ``python -m accounts.commands.superuser``."""
