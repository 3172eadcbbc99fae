//! A machine that is started, killed and started again.

use crate::sim::{SimDisk, SimRuntime, World};
use std::future::Future;

pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) disk: SimDisk,
}

impl Bench {
    pub(crate) fn new(seed: u64) -> Bench {
        let world = World::new(seed);
        let process = world.start_process();
        let disk = SimDisk::new(&world, process, seed);
        Bench { world, disk }
    }

    /// Runs the story as a new process, and kills that at its end.
    pub(crate) fn run<T: 'static, F: Future<Output = T> + 'static>(
        &mut self,
        story: impl FnOnce(SimDisk, SimRuntime) -> F,
    ) -> Option<T> {
        let process = self.world.start_process();
        self.disk = self.disk.for_process(process);
        let runtime = self.world.runtime(process);
        let result = self.world.run(process, story(self.disk.clone(), runtime));
        if result.is_some() {
            self.disk.kill();
        }
        result
    }
}
