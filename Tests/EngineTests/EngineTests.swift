// Opens the tests of Engine.
