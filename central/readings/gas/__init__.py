"""Gas: from volume as measured to energy, by volume coefficient and calorific value."""
