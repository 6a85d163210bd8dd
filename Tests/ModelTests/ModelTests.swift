// Opens the tests of Model.
