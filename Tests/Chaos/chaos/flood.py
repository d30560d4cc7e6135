"""A program that publishes large messages at a rate, so that its work delays nobody's measuring.

    python flood.py SOCKET SIZE BYTES_PER_SECOND CHANNEL...

It goes on until its standard input ends.
"""

import itertools
import selectors
import sys
import time

import redis


def main():
    path, size, rate, *channels = sys.argv[1:]
    client = redis.Redis(unix_socket_path=path)
    payload = b"x" * int(size)
    begun = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        for index, channel in enumerate(itertools.cycle(channels)):
            due = begun + index * len(payload) / float(rate)
            if selector.select(max(0, due - time.monotonic())):
                return
            client.publish(channel, payload)


main()
