"""Other libraries for users and sign-in, each wired as its documentation says: who the user is, sign in, refresh.

They run in an environment of their own, with tables, users and password hashes of their own.
"""
