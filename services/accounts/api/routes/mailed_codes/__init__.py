"""Routes of the sign-in by mailed code."""
