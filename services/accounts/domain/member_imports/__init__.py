"""Imports of members that a page begins and the worker runs, with progress that the page shows."""
