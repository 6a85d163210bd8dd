// Opens the TestKit target.
