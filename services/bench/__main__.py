"""Run every benchmark, or those that are named: make bench, make bench ARGS=login_storm."""

import sys

from bench import lists, login_storm
from bench.served import served

BENCHMARKS = {"login_storm": login_storm.run, "lists": lists.run}

with served() as port:
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name](port)
