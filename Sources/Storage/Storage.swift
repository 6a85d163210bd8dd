// Opens the Storage target.
