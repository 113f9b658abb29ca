"""Runs all benchmarks, or the named one: make bench, make bench ARGS="compare --users 1000000"."""

import signal
import sys

from benchmarks import compare, cpu, lists, login_storm, mail, pages, signing, user_import, verdicts

# Exit normally on SIGTERM, so that the servers are stopped.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
match sys.argv[1:]:
    case []:
        login_storm.run()
        verdicts.publish([*compare.run(), *user_import.run()])
    case ["login_storm"]:
        login_storm.run()
    case ["compare", *arguments]:
        verdicts.publish(compare.run(arguments))
    case ["cpu", *arguments]:
        cpu.run(arguments)
    case ["import", *arguments]:
        verdicts.publish(user_import.run(arguments))
    case ["lists"]:
        lists.run()
    case ["mail", *arguments]:
        mail.run(arguments)
    case ["pages", *arguments]:
        pages.run(arguments)
    case ["signing"]:
        signing.run()
    case _:
        names = (
            "login_storm | compare [--help] | cpu [--help] | import [--help] | lists | mail [--help] | pages [--help]"
            " | signing"
        )
        sys.exit(f"usage: python -m benchmarks [{names}]")
