//! Cells one core counts in. Plain memory: no atomics, no locks.

use std::cell::Cell;
use std::time::Duration;

/// A number that only grows.
#[derive(Default, Debug)]
pub struct Count(Cell<u64>);

impl Count {
    pub fn increment(&self) {
        self.add(1);
    }

    pub fn add(&self, count: u64) {
        self.0.set(self.0.get().wrapping_add(count));
    }

    pub fn get(&self) -> u64 {
        self.0.get()
    }

    /// Takes over a total that is counted elsewhere.
    pub fn set(&self, total: u64) {
        self.0.set(total);
    }
}

/// A number that rises and falls.
#[derive(Default, Debug)]
pub struct Gauge(Cell<u64>);

impl Gauge {
    pub fn set(&self, value: u64) {
        self.0.set(value);
    }

    pub fn add(&self, count: u64) {
        self.0.set(self.0.get() + count);
    }

    /// Panics when more is taken away than there is: an account that does not balance.
    pub fn subtract(&self, count: u64) {
        let left = self.0.get().checked_sub(count);
        self.0.set(left.expect("a gauge does not fall below zero"));
    }

    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// A fraction, or a duration in seconds.
#[derive(Default, Debug)]
pub struct Ratio(Cell<f64>);

impl Ratio {
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    pub fn get(&self) -> f64 {
        self.0.get()
    }
}

/// Time that adds up.
#[derive(Default, Debug)]
pub struct Seconds(Cell<Duration>);

impl Seconds {
    pub fn add(&self, duration: Duration) {
        self.0.set(self.0.get() + duration);
    }

    pub fn get(&self) -> Duration {
        self.0.get()
    }
}
