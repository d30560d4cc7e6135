"""Puts the rows of resp-bench and hiredis_python.py side by side, with the ratios of their times."""

import sys

# Workload, who reads it here, what hiredis and Python's hiredis read; RESP3 is not hiredis 0.14's.
ROWS = [
    ("push of 20 bytes, RESP3", ">3 20", "ours"),
    ("push of 100 bytes, RESP3", ">3 100", "ours"),
    ("push of 1,000 bytes, RESP3", ">3 1000", "ours"),
    ("push of 100,000 bytes, RESP3", ">3 100000", "ours"),
    ("push of 20 bytes, RESP2", "*3 20", "ours"),
    ("push of 100 bytes, RESP2", "*3 100", "ours"),
    ("push of 1,000 bytes, RESP2", "*3 1000", "ours"),
    ("push of 100,000 bytes, RESP2", "*3 100000", "ours"),
    ("push of 100 bytes, byte by byte", "bytewise 100", "ours"),
    ("push of 100 bytes as a value", "*3 100", "ours, values"),
    ("seven arrays in one another", "deep 7", "ours, values"),
    ("array of 1,000 strings", "wide 1000 strings", "ours, values"),
    ("array of 1,000 integers", "wide 1000 integers", "ours, values"),
    ("write PUBLISH of 100 bytes", "write 100", "ours"),
]


def main():
    figures = {}
    for line in sys.stdin:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[3].replace(".", "", 1).isdigit():
            figures[cells[0]] = [float(cell) for cell in cells[1:]]
    print("| workload | MB/s | messages/s | ns | hiredis | ratio | no objects | Python | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for title, stream, reader in ROWS:
        rate, messages, time = figures[f"{stream} {reader}"]

        def other(name):
            return figures.get(f"{stream} {name}", [None])[-1]

        def number(value):
            return f"{value:.0f}" if value else "–"

        def ratio(value):
            return f"{value / time:.1f}" if value else "–"

        theirs, bare = other("hiredis"), other("hiredis, no objects")
        python = other("Python hiredis")
        print(f"| {title} | {rate:.0f} | {messages:,.0f} | {time:.0f} | {number(theirs)} "
              f"| {ratio(theirs)} | {number(bare)} | {number(python)} | {ratio(python)} |")


main()
