"""Where model weights come from: official hosts and caches, a local folder, or this package."""
