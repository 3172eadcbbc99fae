//! The load generator.
#![allow(dead_code, reason = "parts come before their users")]

mod clock;
mod latency;
mod progress;
mod result;

fn main() {
    println!("{}", result::FORMAT);
}
