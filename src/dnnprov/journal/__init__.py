"""What lies in the store folder: segments of events, one writer each, and how to read them back."""
