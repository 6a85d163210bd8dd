// Opens the tests of Storage.
