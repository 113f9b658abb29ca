"""Users and groups.

Imports point down: ``api``, ``seeder``, ``superuser``, ``admin`` and ``migrations`` are processes and may use
``domain``, which may use ``schemas``, which may use ``models`` and ``database``, which may use ``settings``.
"""
