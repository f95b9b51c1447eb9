"""The command `rozvodna demo`: one demo at a time, its report, its API until Ctrl-C, an end in order."""

import json
import os
import time
import traceback
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from deploy.demo import report
from deploy.demo.alone import interruptible, only_demo
from deploy.demo.processes import end_with_parent
from deploy.demo.run import Demo
from deploy.stack.errors import StackError
from deploy.stack.local import home_folder

INTERRUPTED: Final = 130


def main(once: bool = False, home: Path | None = None, output: Path = Path("build/demo.json")) -> int:
    """Run the demo, print the report, write `output`; serve until Ctrl-C unless `once`.

    Status 0 only if all holds, 1 if something does not, 130 if it was interrupted before it knew. Raises StackError.
    """
    console = Console(highlight=False)
    if "MAKELEVEL" in os.environ:
        end_with_parent()  # a killed `make demo` leaves no demo behind
    home = home or home_folder()
    with only_demo(home) as lock:
        demo = Demo(home, console, lock)
        status = INTERRUPTED
        try:
            with interruptible():
                result = demo.run()
                output.parent.mkdir(parents=True, exist_ok=True)
                output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
                report.show(console, result, output, demo.folder / "invoices")
                status = 1 if result["broken"] else 0
                if not once:
                    _serve(demo, console)
        except KeyboardInterrupt:
            console.print("\nStopping …")
        except StackError:
            raise
        except Exception as error:
            # Whatever ended it: a sentence here, the rest for whoever looks for the cause.
            log = demo.note(traceback.format_exc())
            console.print(f"[red]✗ {escape(str(error) or type(error).__name__)}[/red]\nMore in {log}", soft_wrap=True)
            status = 1
        finally:
            demo.close()
    return status


def _serve(demo: Demo, console: Console) -> None:
    """Say where the API is and serve until an ending."""
    first = demo.first_invoice()
    report.show_api(console, f"http://127.0.0.1:{demo.plant.api_port}", demo.plant.token, first)
    while True:
        demo.plant.check()
        time.sleep(0.5)
