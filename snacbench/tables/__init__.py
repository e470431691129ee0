"""Tables from run folders: they read rows and never run a codec."""
