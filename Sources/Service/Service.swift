// Opens the Service target.
