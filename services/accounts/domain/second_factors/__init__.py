"""Second factors: finish a sign-in with one, and prove the user of a session again."""
