"""Copies the README's picture out of a demo: `python -m benchmarks.picture demo-out docs/images/demo-overlay.jpg`.

The overlay of the first FAIL, as it came over MQTT.
"""

import json
import shutil
import sys
from pathlib import Path


def main(demo: Path, target: Path) -> None:
    for line in (demo / "messages.jsonl").read_text().splitlines():
        message = json.loads(line)
        if message.get("outcome") == "FAIL" and message["topic"].startswith("view/"):
            shutil.copyfile(next((demo / "images").glob(f"{message['resultId']}-overlay.*")), target)
            print(f"{target}: {message['view']}, result {message['resultId']}")
            return
    raise SystemExit(f"no FAIL among the messages of {demo}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
