"""Train the three small demonstration codecs: snac-mini, dac-mini and encodec-mini."""
