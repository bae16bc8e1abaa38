"""The texts of `lineclear --help`; those of each command stand in its module."""

EXIT_STATUS = """\
exit status:
  0    success; `check`: CLEAR
  1    `check`: NOT_CLEAR; `doctor`: something FAILs; `demo`: a clearance was not as expected; `challenge`: not as expected;
       `archive`, `audit`: something is gone or was changed
  2    `check`: UNDECIDED; `doctor --gpu`: there is no GPU here, or nothing to try
  3    bad use or bad input: arguments, config, recipe, bundle; standard error says what, where, and what to do
  4    `run`: a part hung; what waited was answered, and whoever started it starts it again
  130  interrupted (Ctrl-C, SIGTERM); `run`: 0
"""

MAIN = "lineclear: the station beside the line. Asks its cameras one question: is what they see as it must be?"

MAIN_END = f"""\
{EXIT_STATUS}
examples:
  lineclear validate configs/replay.yaml
  lineclear doctor station.yaml
  lineclear check station.yaml --batch B1204 --product tablets-10mg
  lineclear challenge station.yaml
  lineclear judge --recipe recipes/feeder shots/*.png --out overlays --json
  lineclear recipe export recipes/feeder --out feeder.recipe.zip
  lineclear trust verify recipes/feeder --trusted /etc/lineclear/trusted-keys
  lineclear archive export station.yaml --batch B1204 --out B1204.zip
  lineclear audit verify station.yaml

environment:
  GENICAM_GENTL64_PATH  folders of GenTL producers (.cti), for cameras whose config names none

Models are made with lineclear-export, recipes and thresholds with lineclear-calibrate.
"""
