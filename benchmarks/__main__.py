"""Runs all benchmarks, or the named one: make bench, make bench ARGS="compare --users 1000000"."""

import signal
import sys

from benchmarks import compare, lists, login_storm, mail, pages, signing, user_import

# Exit normally on SIGTERM, so that the servers are stopped.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
match sys.argv[1:]:
    case []:
        login_storm.run()
        compare.run()
    case ["login_storm"]:
        login_storm.run()
    case ["compare", *arguments]:
        compare.run(arguments)
    case ["import", *arguments]:
        user_import.run(arguments)
    case ["lists"]:
        lists.run()
    case ["mail", *arguments]:
        mail.run(arguments)
    case ["pages", *arguments]:
        pages.run(arguments)
    case ["signing"]:
        signing.run()
    case _:
        names = "login_storm | compare [--help] | import [--help] | lists | mail [--help] | pages [--help] | signing"
        sys.exit(f"usage: python -m benchmarks [{names}]")
