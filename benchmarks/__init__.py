"""What the service does in how much time: measured on real processes, and never part of the image."""
