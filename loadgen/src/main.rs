//! The load generator.

mod result;

fn main() {
    println!("{}", result::FORMAT);
}
