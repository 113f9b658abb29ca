"""Users and groups.

Imports point down: ``api``, ``worker``, ``seeder`` and ``migrations`` are processes; below them are ``commands``,
``readiness``, ``domain``, ``schemas``, ``db``, ``models``, ``observability`` and ``settings``.
"""
