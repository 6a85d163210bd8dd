// Opens the tests of House.
