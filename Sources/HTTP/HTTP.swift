// Opens the HTTP target.
