// Opens the Packing target.
