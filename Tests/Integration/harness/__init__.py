"""What the tests are made of: the daemon, Redis, a browser's stand-in and raw sockets."""
