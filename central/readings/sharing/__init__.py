"""Sharing of electricity (sdílení elektřiny) in groups at EDC: keys with validity, what is shared by them."""
