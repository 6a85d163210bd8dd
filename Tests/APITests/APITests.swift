// Opens the tests of API.
