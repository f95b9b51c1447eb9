"""Virtual meters (virtuální měřidla): formulas over channels, parsed, checked for units, computed exactly by numpy."""
