"""Figures for the dashboard: counted by hour, summed up by day, and read by a statement of constant cost."""
