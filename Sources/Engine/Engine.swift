// Opens the Engine target.
