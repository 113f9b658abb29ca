"""Sign-in with other providers: OpenID Connect with any provider, and OAuth 2.0 with GitHub.

What a provider proves about a user. Accounts and sessions are not known here, and no token of a provider is stored.
"""
