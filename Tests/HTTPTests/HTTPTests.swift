// Opens the tests of HTTP.
