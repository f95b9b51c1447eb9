"""The vocabulary that edge, central and the simulated meters share. Imports nothing of ours."""
