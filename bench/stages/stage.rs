//! One stage of a request's way through the pure ring: what is measured, and what is made ready for it.

use std::hint::black_box;

/// Requests of one run: a full pipeline, and enough to make two reads of the clock cheap beside them.
pub(crate) const REQUESTS: usize = 64;

pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) make: fn() -> Box<dyn Work>,
}

/// Runs as often as one likes, in a steady state.
pub(crate) trait Work {
    /// Before every run; not measured.
    fn make_ready(&mut self);
    /// The stage of [`REQUESTS`] requests.
    fn run(&mut self);
}

struct Prepared<State, Ready, Run> {
    state: State,
    ready: Ready,
    run: Run,
}

impl<State, Ready, Run> Work for Prepared<State, Ready, Run>
where
    Ready: FnMut(&mut State),
    Run: FnMut(&mut State),
{
    fn make_ready(&mut self) {
        (self.ready)(&mut self.state);
    }

    fn run(&mut self) {
        (self.run)(&mut self.state);
    }
}

pub(crate) fn work<State: 'static>(
    state: State,
    ready: impl FnMut(&mut State) + 'static,
    run: impl FnMut(&mut State) + 'static,
) -> Box<dyn Work> {
    Box::new(Prepared { state, ready, run })
}

/// A stage that takes one input after the other; each run gets the same ones again.
pub(crate) fn each<Input: Clone + 'static, Output>(
    input: Input,
    mut take: impl FnMut(Input) -> Output + 'static,
) -> Box<dyn Work> {
    work(
        Vec::new(),
        move |inputs: &mut Vec<Input>| inputs.extend((0..REQUESTS).map(|_| input.clone())),
        move |inputs| {
            for input in inputs.drain(..) {
                black_box(take(input));
            }
        },
    )
}

/// The frame by which a profile tells the stage from what surrounds it: never inlined, and named for it.
#[inline(never)]
pub(crate) fn measured_run(work: &mut dyn Work) {
    work.run();
}
