"""Sign-in without a password, by a code that is mailed to the user (SIGN_IN_BY_CODE)."""
