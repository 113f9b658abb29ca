"""The pages that mail links to: what the API does, for whoever has a browser and no program."""
