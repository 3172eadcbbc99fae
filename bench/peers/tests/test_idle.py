"""The gate: whose CPU it is."""

import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import idle  # noqa: E402

BURN = "import time\nwhile time.process_time() < 0.3: pass"
NO_DEVICE = "none"


class Gate(unittest.TestCase):
    def test_foreign_cpu_spoils_a_latency_before_a_throughput(self):
        quiet = idle.Quiet(foreign=0.03, steal=0.0, disk=0.0, busiest="cc1")
        self.assertEqual(quiet.faults(latency=False), [])
        self.assertEqual(quiet.faults(latency=True),
                         ["other processes took 3.0% of a core (at most 2%), most of it cc1"])

    def test_what_the_hypervisor_takes_spoils_both(self):
        quiet = idle.Quiet(foreign=0.0, steal=0.02, disk=0.0, busiest="")
        self.assertEqual(quiet.faults(latency=False), ["the hypervisor took 2.0% of a core (at most 0.5%)"])

    def test_our_own_processes_are_not_foreign_and_orphans_are(self):
        before = ticks_of(idle.foreign_ticks())
        child = subprocess.Popen([sys.executable, "-c", BURN + "\nprint('done', flush=True)\ninput()"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        child.stdout.readline()
        self.assertNotIn(child.pid, idle.foreign_ticks())
        child.communicate(b"\n")
        # The middle one ends at once: what it started belongs to nobody here.
        orphan = int(subprocess.run(["sh", "-c", f'"{sys.executable}" -c "$0" >/dev/null 2>&1 & echo $!',
                                     BURN + "\ntime.sleep(60)"], capture_output=True, text=True).stdout)
        try:
            deadline = time.monotonic() + 60
            while idle.foreign_ticks()[orphan].own < 0.25 * idle.TICKS_PER_SECOND:
                self.assertLess(time.monotonic(), deadline)
            self.assertGreaterEqual(ticks_of(idle.foreign_ticks()) - before, 0.25 * idle.TICKS_PER_SECOND)
        finally:
            os.kill(orphan, 9)

    def test_a_watch_over_nothing_ends(self):
        quiet = idle.Watch(NO_DEVICE).end()
        self.assertGreaterEqual(quiet.foreign, 0)
        self.assertEqual(quiet.disk, 0)


def ticks_of(processes):
    return idle.total(processes)


if __name__ == "__main__":
    unittest.main()
