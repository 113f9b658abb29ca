"""Routes for users, sign-up, sign-in and account recovery."""
