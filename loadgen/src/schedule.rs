//! When each request is due: fixed before the run, whatever the broker does.
//!
//! A schedule is a rate over time; the time of request number `n` is where the integral of the rate reaches `n`, so
//! nothing is stored. Threads take turns: thread `k` of `t` owns requests `k`, `k + t`, …

use crate::clock::SECOND_NS;
use ottla::base::prng::Prng;
use std::sync::Arc;
use std::time::Duration;

/// A stretch of time whose rate moves from one value to another in a straight line. Requests a second.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Stretch {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) seconds: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    stretches: Vec<Placed>,
    end_seconds: f64,
    requests: f64,
}

/// A stretch, and what came before it.
#[derive(Clone, Copy, Debug)]
struct Placed {
    stretch: Stretch,
    start_seconds: f64,
    start_requests: f64,
}

impl Schedule {
    pub(crate) fn new(stretches: &[Stretch]) -> Schedule {
        let (mut end_seconds, mut requests) = (0.0, 0.0);
        let mut placed = Vec::new();
        for &stretch in stretches {
            assert!(stretch.seconds >= 0.0 && stretch.from > 0.0 && stretch.to > 0.0);
            placed.push(Placed {
                stretch,
                start_seconds: end_seconds,
                start_requests: requests,
            });
            end_seconds += stretch.seconds;
            requests += stretch.requests();
        }
        Schedule {
            stretches: placed,
            end_seconds,
            requests,
        }
    }

    /// One rate from the first request to the last.
    #[cfg(test)]
    fn constant(rate: f64, length: Duration) -> Schedule {
        Schedule::new(&[Stretch {
            from: rate,
            to: rate,
            seconds: length.as_secs_f64(),
        }])
    }

    pub(crate) fn rate_max(&self) -> f64 {
        let rates = self.stretches.iter();
        rates
            .map(|placed| placed.stretch.from.max(placed.stretch.to))
            .fold(0.0, f64::max)
    }

    /// Nanoseconds from the start; none when the schedule is over before.
    fn time_of(&self, request: f64) -> Option<u64> {
        if request >= self.requests {
            return None;
        }
        let after = self
            .stretches
            .partition_point(|placed| placed.start_requests <= request);
        let placed = &self.stretches[after - 1];
        let inside = placed.stretch.time_of(request - placed.start_requests);
        let seconds = (placed.start_seconds + inside).min(self.end_seconds);
        Some((seconds * SECOND_NS as f64) as u64)
    }
}

impl Stretch {
    fn requests(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.seconds
    }

    /// Seconds after which so many requests were due: the root of `from t + slope t² / 2`, in the form that keeps
    /// its digits when the slope is small.
    fn time_of(&self, requests: f64) -> f64 {
        let slope = (self.to - self.from) / self.seconds.max(1e-12);
        let root = (self.from * self.from + 2.0 * slope * requests)
            .max(0.0)
            .sqrt();
        2.0 * requests / (self.from + root)
    }
}

/// How the requests of a thread are spread around their rate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Arrivals {
    Even,
    /// Independent of each other, as those of many users are; drawn from this seed.
    Poisson {
        seed: u64,
    },
}

/// The due times of one thread, in order. Times within one tick are the tick's beginning, so that above
/// one request a tick a thread wakes once a tick and sends what is due in one write.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    schedule: Arc<Schedule>,
    threads: f64,
    /// In requests of the whole schedule.
    position: f64,
    gaps: Option<Prng>,
    tick_ns: u64,
    next: Option<u64>,
}

impl Slots {
    pub(crate) fn new(
        schedule: &Arc<Schedule>,
        thread: usize,
        threads: usize,
        arrivals: Arrivals,
        tick: Duration,
    ) -> Slots {
        let tick_ns = tick.as_nanos() as u64;
        let a_tick = schedule.rate_max() / threads as f64 * tick.as_secs_f64();
        let mut slots = Slots {
            schedule: schedule.clone(),
            threads: threads as f64,
            position: thread as f64,
            gaps: None,
            tick_ns: if a_tick > 1.0 { tick_ns } else { 1 },
            next: None,
        };
        if let Arrivals::Poisson { seed } = arrivals {
            slots.gaps = Some(Prng::new(seed ^ (thread as u64) << 32));
            slots.position = 0.0;
            slots.position = slots.gap();
        }
        slots.next = slots.time();
        slots
    }

    /// When the next request is due, from the start of the schedule.
    pub(crate) fn peek(&self) -> Option<u64> {
        self.next
    }

    pub(crate) fn advance(&mut self) {
        self.position += self.gap();
        self.next = self.time();
    }

    fn time(&self) -> Option<u64> {
        let time = self.schedule.time_of(self.position)?;
        Some(time - time % self.tick_ns)
    }

    fn gap(&mut self) -> f64 {
        match &mut self.gaps {
            None => self.threads,
            Some(prng) => {
                // 53 random bits, never 0.
                let uniform = ((prng.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
                -uniform.ln() * self.threads
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_micros(100);

    fn times(schedule: Schedule, threads: usize, arrivals: Arrivals) -> Vec<u64> {
        let schedule = Arc::new(schedule);
        let mut times = Vec::new();
        for thread in 0..threads {
            let mut slots = Slots::new(&schedule, thread, threads, arrivals, TICK);
            while let Some(time) = slots.peek() {
                times.push(time);
                slots.advance();
            }
        }
        times.sort_unstable();
        times
    }

    #[test]
    fn threads_share_an_even_schedule() {
        let schedule = Schedule::constant(1_000.0, Duration::from_secs(2));
        let times = times(schedule, 3, Arrivals::Even);
        let expected: Vec<u64> = (0..2_000).map(|n| n * 1_000_000).collect();
        let near = times
            .iter()
            .zip(&expected)
            .all(|(a, b)| a.abs_diff(*b) <= 1);
        assert!(times.len() == 2_000 && near);
    }

    #[test]
    fn steps_and_ramps_keep_their_counts() {
        let schedule = Schedule::new(&[
            Stretch {
                from: 100.0,
                to: 100.0,
                seconds: 1.0,
            },
            Stretch {
                from: 100.0,
                to: 300.0,
                seconds: 2.0,
            },
            Stretch {
                from: 1_000.0,
                to: 1_000.0,
                seconds: 1.0,
            },
        ]);
        let times = times(schedule, 1, Arrivals::Even);
        let within = |from: u64, to: u64| {
            let seconds = from * SECOND_NS..to * SECOND_NS;
            times.iter().filter(|time| seconds.contains(time)).count()
        };
        assert_eq!(
            (within(0, 1), within(1, 3), within(3, 4)),
            (100, 400, 1_000)
        );
        // The first half of the ramp holds 150 of its 400.
        assert_eq!(within(1, 2), 150);
    }

    #[test]
    fn a_fast_schedule_comes_in_ticks() {
        let schedule = Schedule::constant(100_000.0, Duration::from_secs(1));
        let times = times(schedule, 1, Arrivals::Even);
        assert_eq!(times.len(), 100_000);
        assert!(times.iter().all(|time| time % 100_000 == 0));
        let of_a_tick = times.iter().filter(|&&time| time == 500_000_000).count();
        assert!((9..=11).contains(&of_a_tick), "{of_a_tick}");
    }

    #[test]
    fn poisson_arrivals_keep_the_rate_and_scatter() {
        let schedule = Schedule::constant(1_000.0, Duration::from_secs(20));
        let times = times(schedule, 2, Arrivals::Poisson { seed: 5 });
        // 20,000 expected, six standard deviations are 850.
        assert!((19_150..20_850).contains(&times.len()), "{}", times.len());
        let gaps: Vec<f64> = times
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64)
            .collect();
        let short = gaps.iter().filter(|gap| **gap < 693_147.0).count();
        let share = short as f64 / gaps.len() as f64;
        assert!(
            (share - 0.5).abs() < 0.03,
            "half of the gaps are below ln 2: {share}"
        );
    }
}
