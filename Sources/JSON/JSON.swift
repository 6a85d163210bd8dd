// Opens the JSON target.
