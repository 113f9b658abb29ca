"""HTML pages, without scripts, for superusers: what they look after."""
