// Opens the tests of Service.
