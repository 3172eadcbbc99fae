#!/bin/sh
# Sets the queues of NVMe drives for ottla: no scheduler, no merging, completion on the CPU that asked. Until the next
# boot; a second run changes nothing.
#
#   nvme.sh [DRIVE...]     all NVMe drives, or these (nvme0n1)
#   nvme.sh --undo         as it was before the first run
#
# ROOT is where /sys and /run lie, when not at the top.
set -eu

root=${ROOT:-}
saved=$root/run/ottla-nvme.saved

# The choice between brackets, or all of it.
value() {
    sed 's/.*\[\(.*\)\].*/\1/' "$1"
}

undo() {
    if [ ! -e "$saved" ]; then
        echo "nvme.sh: nothing to undo: $saved does not exist" >&2
        exit 1
    fi
    while read -r file old; do
        echo "$old" >"$root$file"
        echo "$file: $old"
    done <"$saved"
    rm "$saved"
}

# What was there is written down before the first change, once.
set_to() {
    file=$1 new=$2
    old=$(value "$root$file")
    [ "$old" != "$new" ] || return 0
    grep -qs "^$file " "$saved" || echo "$file $old" >>"$saved"
    echo "$new" >"$root$file"
    echo "$file: $old -> $new"
}

case ${1:-} in
--undo)
    undo
    exit
    ;;
-*)
    echo "usage: nvme.sh [DRIVE...] | nvme.sh --undo" >&2
    exit 2
    ;;
esac

if [ $# -eq 0 ]; then
    for path in "$root"/sys/block/nvme*n*; do
        [ ! -e "$path/queue" ] || set -- "$@" "${path##*/}"
    done
fi
if [ $# -eq 0 ]; then
    echo "nvme.sh: there is no NVMe drive" >&2
    exit 1
fi
mkdir -p "$root/run"
for drive in "$@"; do
    queue=/sys/block/$drive/queue
    if [ ! -d "$root$queue" ]; then
        echo "nvme.sh: there is no drive $drive" >&2
        exit 1
    fi
    set_to "$queue/scheduler" none
    set_to "$queue/nomerges" 2
    set_to "$queue/rq_affinity" 2
done
