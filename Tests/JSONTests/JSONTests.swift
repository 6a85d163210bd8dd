// Opens the tests of JSON.
