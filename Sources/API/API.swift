// Opens the API target.
