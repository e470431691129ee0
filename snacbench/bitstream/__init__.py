"""Files that one can weigh: the container ``.sncb``, and codecs writing and reading it."""
