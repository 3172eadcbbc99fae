#!/bin/sh
# Moves the interrupts of a drive or a network card to CPUs without a shard. Until the next boot, and only while
# irqbalance does not run; a second run changes nothing.
#
#   irq.sh NAME CPUS       NAME as in /proc/interrupts, without its queue: nvme0, virtio1, eth0; CPUS: 2-3,8
#   irq.sh --undo          as it was before the first run
#
# Drives with a queue for each CPU do not let their interrupts be moved, and need not: each CPU serves its own requests.
# ROOT is where /proc and /run lie, when not at the top.
set -eu

root=${ROOT:-}
saved=$root/run/ottla-irq.saved

undo() {
    if [ ! -e "$saved" ]; then
        echo "irq.sh: nothing to undo: $saved does not exist" >&2
        exit 1
    fi
    while read -r file old; do
        echo "$old" >"$root$file"
        echo "$file: $old"
    done <"$saved"
    rm "$saved"
}

if [ "${1:-}" = --undo ]; then
    undo
    exit
fi
if [ $# -ne 2 ]; then
    echo "usage: irq.sh NAME CPUS | irq.sh --undo" >&2
    exit 2
fi
name=$1 cpus=$2

# nvme0q1, virtio1-req.0, eth0-TxRx-1 or the name alone; not what only tells of a changed configuration.
numbers=$(awk -v name="$name" '
    $1 ~ /^[0-9]+:$/ && index($NF, name) == 1 {
        rest = substr($NF, length(name) + 1)
        if (rest ~ /^(q[1-9][0-9]*|-.*)?$/ && rest !~ /^-(config|control)$/) print $1 + 0
    }' "$root/proc/interrupts")
if [ -z "$numbers" ]; then
    echo "irq.sh: /proc/interrupts names no queue of $name" >&2
    exit 1
fi

mkdir -p "$root/run"
refused=0
for number in $numbers; do
    file=/proc/irq/$number/smp_affinity_list
    old=$(cat "$root$file")
    [ "$old" != "$cpus" ] || continue
    # What was there is written down before the first change, once.
    grep -qs "^$file " "$saved" || echo "$file $old" >>"$saved"
    if (echo "$cpus" >"$root$file") 2>/dev/null; then
        echo "$file: $old -> $cpus"
    else
        echo "irq.sh: $file cannot be moved to CPU $cpus" >&2
        refused=1
    fi
done
exit $refused
