"""Files of users: import with the password hashes of other systems, and export."""
