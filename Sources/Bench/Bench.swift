// Opens the Bench target.
