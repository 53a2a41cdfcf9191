"""Runs benchmarks, prints their tables, and writes them into docs/benchmarks.md.

python -m tests.bench [NAME …] [--seconds N] [--short] [--no-write]
"""

from __future__ import annotations

import argparse
import shlex
import sys
import traceback

from tests.bench import machine, report
from tests.bench.catalog import ABOUT, runner
from tests.bench.model import Options, Skipped


def main() -> int:
    """The exit code: 1 when a benchmark failed to run. A goal that was missed is a figure, not a failure."""
    arguments = _arguments()
    names = arguments.names or list(ABOUT)
    options = Options(arguments.short, arguments.seconds)
    outcomes = [_run(name, options, write=arguments.write) for name in names]
    return 0 if all(outcomes) else 1


def _arguments() -> argparse.Namespace:
    listed = "\n".join(f"  {name:<12}{about}" for name, about in ABOUT.items())
    parser = argparse.ArgumentParser(
        "python -m tests.bench",
        description="The benchmarks of docs/benchmarks.md.",
        epilog=f"benchmarks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", choices=[*ABOUT, []], metavar="NAME", help="which; all when none is named"
    )
    parser.add_argument("--seconds", type=float, help="length of each measurement")
    parser.add_argument(
        "--short", action="store_true", help="small sizes, to see that all runs; the figures are rough"
    )
    parser.add_argument(
        "--no-write", dest="write", action="store_false", help="leave docs/benchmarks.md as it is"
    )
    return parser.parse_args()


def _run(name: str, options: Options, *, write: bool) -> bool:
    print(f"\n== {name}: {ABOUT[name]}", flush=True)
    before = machine.load()
    try:
        result = runner(name)(options)
    except Skipped as reason:
        print(f"skipped: {reason}", flush=True)
        return True
    except Exception:  # noqa: BLE001  (the next benchmark can still run; this one's failure is printed and told by the exit code)
        traceback.print_exc()
        return False
    print(f"\n{report.body(result)}", flush=True)
    if write:
        report.write(name, report.section(name, _command(name, options), before, result))
    return True


def _command(name: str, options: Options) -> str:
    length = ["--seconds", f"{options.seconds:g}"] if options.seconds is not None else []
    return shlex.join(["python", "-m", "tests.bench", name, *length, *(["--short"] if options.short else [])])


if __name__ == "__main__":
    sys.exit(main())
