"""Counts the tests in a folder of JUnit files; in CI a skipped test is a failure.

Prints what was skipped and why, then ``N passed, N failed, N skipped``; the exit code is 1 where a
test failed, where none ran, and, with CI=true, where one was skipped.
"""

import os
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

STATES = ("failure", "error", "skipped")


def outcome(case: ET.Element) -> str:
    """passed, failed or skipped."""
    states = {child.tag for child in case} & set(STATES)
    if states & {"failure", "error"}:
        return "failed"
    return "skipped" if states else "passed"


def reasons(cases: list[ET.Element]) -> list[str]:
    """Why tests were skipped, one line a test."""
    return [
        f"{case.get('classname')}.{case.get('name')}: {skipped.get('message')}"
        for case in cases
        for skipped in case.findall("skipped")
    ]


def summary(cases: list[ET.Element]) -> str:
    """What was skipped and why, on one line: ``12 skipped: DETECTOR_AUDIO is not set: …``."""
    why = Counter(
        str(skipped.get("message")) for case in cases for skipped in case.findall("skipped")
    )
    return "; ".join(f"{count} skipped: {message}" for message, count in why.most_common())


def main(folder: Path) -> int:
    """Count, print, judge."""
    files = [ET.parse(file) for file in folder.glob("*.xml")]
    cases = [case for file in files for case in file.iter("testcase")]
    counts = dict.fromkeys(("passed", "failed", "skipped"), 0)
    for case in cases:
        counts[outcome(case)] += 1
    in_ci = os.environ.get("CI") == "true"
    if in_ci and counts["skipped"]:
        print("skipped, which is not allowed in CI:", *reasons(cases), sep="\n  ")
    elif counts["skipped"]:
        print(summary(cases))
    print(", ".join(f"{count} {word}" for word, count in counts.items()))
    ran = counts["passed"] + counts["failed"]
    return int(counts["failed"] > 0 or ran == 0 or (in_ci and counts["skipped"] > 0))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
