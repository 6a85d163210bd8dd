// Opens the Model target.
