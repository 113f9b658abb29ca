"""Rate limits: the rules, and the algorithm that counts."""
