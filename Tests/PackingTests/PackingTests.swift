// Opens the tests of Packing.
