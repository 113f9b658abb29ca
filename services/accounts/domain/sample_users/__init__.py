"""The users of sample and volume data: how to find those with the published password, and how to remove them."""
