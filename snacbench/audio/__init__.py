"""Pure functions on `Audio`: reading and writing, resampling, channels, alignment."""
