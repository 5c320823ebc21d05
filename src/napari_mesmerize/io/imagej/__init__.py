"""ImageJ ROI files and archives of them."""
