#!/bin/sh
# in_memory.sh COMMAND…: run it with temporary files in memory where there is room, since most of what the tests wait
# for is a disk that syncs. What survives a power cut is proven from recorded system calls, on any file system.
room=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
if [ "${room:-0}" -gt 4000000 ] && [ -w /dev/shm ]; then
  TMPDIR=$(mktemp -d /dev/shm/scenesync-tests.XXXXXX)
  export TMPDIR
  trap 'rm -rf "$TMPDIR"' EXIT
  trap 'exit 130' INT TERM
fi
"$@"
