"""`python -m edge enrol CONFIG.json`: makes this concentrator's key and says what central needs to know of it."""

import argparse
import json
import sys
from pathlib import Path

from edge.config import load_config
from edge.errors import ConfigError
from shared.control.keys import KeyFileError, key_id, key_text, make_key_file, read_key_file, sealing_public


def main(arguments: list[str]) -> int:
    """Prints the enrolment (JSON) on standard output; 0, or 2 where something is missing. A key that is there stays."""
    parser = argparse.ArgumentParser(
        prog="rozvodna edge enrol",
        description="Make the key for which central seals secrets (control.key_file of the configuration; one that is "
        "there stays) and print the enrolment, to be given to `rozvodna central enrol`.",
    )
    parser.add_argument("config", help="configuration, JSON")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config)
        if config.control is None or config.control.key_file is None:
            raise ConfigError(
                f"The configuration {options.config}, at control.key_file: it is not set; name the file in which the "
                "concentrator's private key shall be kept."
            )
        path = Path(config.control.key_file)
        public = sealing_public(read_key_file(path) if path.exists() else make_key_file(path))
    except (ConfigError, KeyFileError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    said = {"concentrator": config.edge, "key": key_text(public), "key_id": key_id(public)}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0
