#!/usr/bin/env bash
# Software:  github.com/robfig/cron/v3 3.0.1 (Go; the schedules of Kubernetes CronJobs, Argo CD's
#            sync windows, …) and croniter 6.0.0 (Python).
# Seen:      where day of month and day of week are both restricted, either will do; all agree. They
#            disagree on what restricts nothing. `0 0 */1 * 5` is Fridays for robfig/cron and every
#            day for croniter; `0 0 13 * */1` is the 13th for the one and every day for the other.
#            `0 0 1-31 * 5` is every day for both, and so not the Fridays that its author meant;
#            `*/2` restricts for both, so `0 0 */2 * 5` is odd days and Fridays.
# Memory:    five fields are a standard, so a schedule can be moved from one tool to another; and a
#            field that takes every value is the same as `*`.
# For Flux:  a freeze window says its days by `*` or by a real restriction. Other spellings of "any
#            day" mean different days elsewhere, so they deserve a finding, not a guess.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

func main() {
	for _, text := range os.Args[1:] {
		schedule, err := cron.ParseStandard(text)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%-13s", text)
		at := time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC)
		for at = schedule.Next(at); at.Day() <= 14 && at.Month() == 11; at = schedule.Next(at) {
			fmt.Printf(" %d", at.Day())
		}
		fmt.Println()
	}
}
GO
cat >main.py <<'PYTHON'
import sys
from datetime import datetime

from croniter import croniter

for text in sys.argv[1:]:
    days, schedule = "", croniter(text, datetime(2026, 10, 31, 12))
    while (day := schedule.get_next(datetime)) < datetime(2026, 11, 15):
        days += f" {day.day}"
    print(f"{text:13}{days}")
PYTHON

schedules=('0 0 * * 5' '0 0 */1 * 5' '0 0 1-31 * 5' '0 0 */2 * 5' '0 0 13 * */1')
go mod init finding >/dev/null
go get github.com/robfig/cron/v3@v3.0.1 >/dev/null
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check croniter==6.0.0

expect() {
  local saw
  saw=$("${@:3}" "${schedules[@]}")
  printf -- '-- %s, 1 to 14 November 2026\n%s\n' "$1" "$saw"
  [ "$saw" = "$2" ] || { printf 'this has changed; it was\n%s\n' "$2" >&2; exit 1; }
}

expect 'robfig/cron 3.0.1' '0 0 * * 5     6 13
0 0 */1 * 5   6 13
0 0 1-31 * 5  1 2 3 4 5 6 7 8 9 10 11 12 13 14
0 0 */2 * 5   1 3 5 6 7 9 11 13
0 0 13 * */1  13' go run .
expect 'croniter 6.0.0' '0 0 * * 5     6 13
0 0 */1 * 5   1 2 3 4 5 6 7 8 9 10 11 12 13 14
0 0 1-31 * 5  1 2 3 4 5 6 7 8 9 10 11 12 13 14
0 0 */2 * 5   1 3 5 6 7 9 11 13
0 0 13 * */1  1 2 3 4 5 6 7 8 9 10 11 12 13 14' python/bin/python main.py
