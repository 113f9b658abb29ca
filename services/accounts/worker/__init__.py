"""The process ``worker``: sends the mail that the others have put down."""
