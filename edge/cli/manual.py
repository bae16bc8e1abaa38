"""The texts of `lineclear --help` and of every command's `--help`."""

EXIT_STATUS = """\
exit status:
  0    success; `check`: CLEAR
  1    `check`: NOT_CLEAR; `doctor`: something FAILs; `demo`: a clearance was not as expected
  2    `check`: UNDECIDED
  3    bad use or bad input: arguments, config, recipe, bundle; standard error says what, where, and what to do
  130  interrupted (Ctrl-C, SIGTERM); `run`: 0
"""

MAIN = "lineclear: the station beside the line. Asks its cameras one question: is what they see as it must be?"

MAIN_END = f"""\
{EXIT_STATUS}
examples:
  lineclear validate configs/replay.yaml
  lineclear doctor station.yaml
  lineclear check station.yaml --batch B1204 --product tablets-10mg
  lineclear judge --recipe recipes/feeder shots/*.png --out overlays --json

environment:
  GENICAM_GENTL64_PATH  folders of GenTL producers (.cti), for cameras whose config names none

Models are made with lineclear-export, recipes and thresholds with lineclear-calibrate.
"""

RUN = """\
Open cameras, engine and broker of a station, and judge every trigger until SIGTERM or SIGINT (Ctrl-C).

A camera, a recipe or a broker that is not there does not stop it: verdicts of that view are UNDECIDED and say why, results
wait on disk for the broker. Only one process can run a station. The log goes to standard error.
"""

RUN_END = """\
exit status:
  0  stopped by a signal; no process, no shared memory, no open file is left
  3  it could not start: the config is wrong, or another process runs this station
"""

CHECK = """\
One line clearance: take fresh frames of every view, vote, and answer for the whole station.

The station must not be running: the check opens the same cameras and the same state folder. The answer is recorded and
published as any other.
"""

CHECK_END = """\
exit status:
  0  CLEAR: every view passed
  1  NOT_CLEAR: a view failed
  2  UNDECIDED: something is not known; each view says why. Never treat it as clear
  3  there was no check: bad arguments, a wrong config, or another process runs this station

example:
  lineclear check station.yaml --batch B1204 --product tablets-10mg && start-batch
"""

JUDGE = """\
Judge image files with a recipe exactly as the station would: register, infer, mask, threshold. Nothing is published.

A file that cannot be judged is UNDECIDED(frame_invalid) and the next one follows. With --json each line is one document
with the keys image, outcome, reason, detail, score, threshold, pixel_threshold, regions, alignment, stage_ms.
"""

JUDGE_END = """\
exit status:
  0  every image was judged, whatever the outcomes
  3  nothing was judged: no such image, or a recipe that must not be used

example:
  lineclear judge --recipe recipes/feeder shots/ --json | jq -r 'select(.outcome != "PASS") | .image'
"""

VALIDATE = """\
Read a config and every recipe, bundle and file that it names; or a recipe; or a bundle, which is also run against its
golden vectors; or a masks file. No camera and no broker is touched: that is `lineclear doctor`.
"""

VALIDATE_END = """\
exit status:
  0  all are sound
  3  one line per problem on standard error: file, key, what is wrong, what to write
"""

DOCTOR = """\
What is installed, connected and healthy: libraries, clock, disk, and with CONFIG its recipes, cameras and broker. One line
per check, OK, WARN or FAIL, with what to do. Cameras are looked for in a process of its own, so that a broken producer
cannot hurt; the broker is tried with the station's own credentials.
"""

DOCTOR_END = """\
exit status:
  0  nothing FAILs
  1  something FAILs
"""

DEMO = """\
The whole job on a simulated machine with three views, one of them through a real GenTL producer: make recipes from 20 good
frames a view, then clearances that are clear, not clear, undecided, and clear again after a nudge, over an MQTT broker on
this machine. Leaves overlays, JSON and an index.html behind.
"""
