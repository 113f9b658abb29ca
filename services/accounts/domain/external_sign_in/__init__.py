"""Sign-in with other providers: who is signed in by it, and which accounts of providers a user has connected."""
