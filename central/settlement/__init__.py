"""Settlement (zúčtování): runs that turn profiles, states and contracts into billing bases by a package's rules."""
